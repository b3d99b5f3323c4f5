using RealNvp.Onnx;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Flows of other libraries, with the log-probabilities that these gave: PyTorch/Files/make_flows.py made them.</summary>
[LeavesNoTensors]
public class ImporterTests
{
    private const double Tolerance = 1e-11;

    private static readonly Dictionary<string, Func<string, ImportedFlow<ImportedModel>>> cases = new()
    {
        ["nflows_realnvp"] = new NflowsImporter().Load,
        ["nflows_batchnorm"] = new NflowsImporter().Load,
        ["nflows_maf_batchnorm"] = new NflowsImporter().Load,
        ["nflows_sbi_nsf"] = new NflowsImporter { TailBound = 3 }.Load,
        ["nflows_maf_context"] = new NflowsImporter().Load,
        ["nflows_maf_residual"] = new NflowsImporter().Load,
        ["nflows_tanh"] =
            new NflowsImporter { TailBound = 2.5, Activation = PyTorchActivation.Tanh, Scale = NflowsScale.General }.Load,
        ["zuko_maf"] = new ZukoImporter().Load,
        ["zuko_maf_context"] = new ZukoImporter().Load,
        ["zuko_nsf"] = new ZukoImporter().Load,
        ["zuko_nsf_coupling"] = new ZukoImporter().Load,
        ["zuko_realnvp"] = new ZukoImporter().Load,
        ["zuko_nice_elu"] = new ZukoImporter { Activation = PyTorchActivation.Elu }.Load,
        ["normflows_realnvp"] = new NormflowsImporter().Load,
        ["normflows_blocks"] = new NormflowsImporter { SwapsAtGaps = true, FlowCount = 6 }.Load,
        ["normflows_nsf"] = new NormflowsImporter { TailBound = 3 }.Load,
    };

    public static TheoryData<string> Names => [.. cases.Keys];

    internal static Func<string, ImportedFlow<ImportedModel>> Case(string name) => cases[name];

    [Theory, MemberData(nameof(Names))]
    public void Log_probabilities_equal_those_of_the_library(string name)
    {
        using var scope = NewDisposeScope();
        var path = PyTorchFileTests.At($"{name}.pt");
        using var file = PyTorchFile.Load(path);
        using var imported = cases[name](path);
        var flow = imported.Flow;
        imported.Report.LeftOver.Should().BeEmpty();
        imported.Report.Matched.Should().HaveCount(((IReadOnlyDictionary<object, object?>)((IReadOnlyDictionary<object, object?>)
            file.Value!)["model"]!).Count);
        var context = file.Tensors.GetValueOrDefault("context");
        Close(flow.LogProb(file["x"], context), file["log_prob"], Tolerance);
        flow.training.Should().BeFalse();
        // and back again
        var z = flow.Encode(file["x"], context);
        Close(flow.Decode(z, context), file["x"], 1e-9);
        Close(flow.Bijection.Inverse(z, context).LogDet, flow.Bijection.Forward(file["x"], context).LogDet.neg(), 1e-8);
        flow.Sample(3, context?.narrow(0, 0, 1)).shape[^1].Should().Be(file["x"].shape[1]);
    }

    [Fact]
    public void Every_file_of_a_library_has_a_case() =>
        Directory.GetFiles(Path.GetDirectoryName(PyTorchFileTests.At("x"))!).Select(Path.GetFileNameWithoutExtension)
            .Where(n => n!.StartsWith("nflows_", StringComparison.Ordinal) || n.StartsWith("zuko_", StringComparison.Ordinal)
                || n.StartsWith("normflows_", StringComparison.Ordinal)).Should().BeEquivalentTo(cases.Keys);

    [Theory, InlineData("nflows_sbi_nsf"), InlineData("nflows_maf_residual"), InlineData("zuko_nsf"), InlineData("normflows_nsf")]
    public void An_imported_flow_can_be_trained_further(string name)
    {
        using var scope = NewDisposeScope();
        var path = PyTorchFileTests.At($"{name}.pt");
        using var file = PyTorchFile.Load(path);
        using var imported = cases[name](path);
        var flow = imported.Flow;
        flow.train();
        flow.NegativeLogLikelihood(file["x"], file.Tensors.GetValueOrDefault("context")).mean().backward();
        flow.parameters().Should().AllSatisfy(p => (p.grad is null || p.grad.isfinite().all().ToBoolean()).Should().BeTrue());
        flow.parameters().Count(p => p.grad is not null).Should().BeGreaterThan(flow.parameters().Count() / 2);
    }

    [Theory, InlineData("nflows_sbi_nsf"), InlineData("nflows_tanh"), InlineData("nflows_maf_batchnorm"), InlineData("zuko_nsf"),
        InlineData("zuko_nice_elu"), InlineData("normflows_nsf"), InlineData("normflows_realnvp")]
    public void An_imported_flow_is_exported_to_onnx(string name)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var file = PyTorchFile.Load(PyTorchFileTests.At($"{name}.pt"));
        using var imported = cases[name](PyTorchFileTests.At($"{name}.pt"));
        var (flow, x, context) = (imported.Flow, file["x"], file.Tensors.GetValueOrDefault("context"));
        // in float64, so that a mistake cannot hide behind rounding
        var options = new OnnxOptions { Dtype = ScalarType.Float64, Outputs = OnnxOutputs.LogProb | OnnxOutputs.Encode };
        using var forward = new OnnxSession(flow.ToOnnx(options));
        var found = forward.Run(("x", x), ("context", context));
        Close(found["log_prob"].flatten(), file["log_prob"], 1e-9);
        using var inverse = new OnnxSession(flow.ToOnnx(options with { Outputs = OnnxOutputs.Decode }));
        Close(inverse.Run(("z", found["z"]), ("context", context))["x"], x, 1e-7);
    }

    // in float32, as most users export: the rule that layers and presets are held to, for what a file of another library has
    [Theory, MemberData(nameof(Names))]
    public void An_imported_flow_in_OnnxRuntime_is_as_near_as_our_own_are(string name)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var file = PyTorchFile.Load(PyTorchFileTests.At($"{name}.pt"));
        using var imported = cases[name](PyTorchFileTests.At($"{name}.pt"));
        var (flow, x, context) = (imported.Flow, file["x"].to(float32), file.Tensors.GetValueOrDefault("context")?.to(float32));
        flow.to(float32);
        using var forward = new OnnxSession(flow.ToOnnx(new() { Outputs = OnnxOutputs.LogProb | OnnxOutputs.Encode }));
        using var inverse = new OnnxSession(flow.ToOnnx(new() { Outputs = OnnxOutputs.Decode }));
        var found = forward.Run(("x", x), ("context", context));
        var (logProb, z) = (flow.LogProb(x, context), flow.Encode(x, context));
        var (back, decoded) = (inverse.Run(("z", z), ("context", context))["x"], flow.Decode(z, context));
        flow.to(float64);
        (x, var latents, context) = (x.to(float64), z.to(float64), context?.to(float64));
        new[] { OnnxGaps.Of("log_prob", found["log_prob"], logProb, flow.LogProb(x, context)),
            OnnxGaps.Of("z", found["z"], z, flow.Encode(x, context)),
            OnnxGaps.Of("x", back, decoded, flow.Decode(latents, context)) }.OfType<string>().Should().BeEmpty();
    }

    internal static void Close(Tensor ours, Tensor theirs, double tolerance)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().div(theirs.abs().clamp_min(1)).max().item<double>().Should().BeLessThan(tolerance);
    }
}
