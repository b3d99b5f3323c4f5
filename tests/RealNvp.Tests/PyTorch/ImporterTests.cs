using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Flows of other libraries, with the log-probabilities that these gave: PyTorch/Files/make_flows.py made them.</summary>
[LeavesNoTensors]
public class ImporterTests
{
    private const double Tolerance = 1e-11;

    private static readonly Dictionary<string, Func<string, ImportedFlow<Flow>>> cases = new()
    {
        ["nflows_realnvp"] = new NflowsImporter().Load,
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
        flow.Sample(3, context?.narrow(0, 0, 1)).shape[^1].Should().Be(file["x"].shape[1]);
    }

    [Fact]
    public void Every_file_of_a_library_has_a_case() =>
        Directory.GetFiles(Path.GetDirectoryName(PyTorchFileTests.At("x"))!).Select(Path.GetFileNameWithoutExtension)
            .Where(n => n!.StartsWith("nflows_", StringComparison.Ordinal) || n.StartsWith("zuko_", StringComparison.Ordinal)
                || n.StartsWith("normflows_", StringComparison.Ordinal)).Should().BeEquivalentTo(cases.Keys);

    [Theory, MemberData(nameof(Names))]
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

    [Theory, MemberData(nameof(Names))]
    public void A_law_of_flows_holds_for_what_was_imported(string name)
    {
        using var scope = NewDisposeScope();
        using var imported = cases[name](PyTorchFileTests.At($"{name}.pt"));
        using var file = PyTorchFile.Load(PyTorchFileTests.At($"{name}.pt"));
        var context = file.Tensors.GetValueOrDefault("context");
        var (z, logDet) = imported.Flow.Bijection.Forward(file["x"], context);
        var (_, back) = imported.Flow.Bijection.Inverse(z, context);
        Close(back, logDet.neg(), 1e-8);
    }

    internal static void Close(Tensor ours, Tensor theirs, double tolerance)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().div(theirs.abs().clamp_min(1)).max().item<double>().Should().BeLessThan(tolerance);
    }
}
