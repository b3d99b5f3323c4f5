using RealNvp.Layers;
using RealNvp.Onnx;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>Each preset as files of ONNX in OnnxRuntime, against the library.</summary>
public class OnnxPresetTests
{
    private const int Rows = 5;

    public static TheoryData<string> Presets => PresetTable.Names;

    public static TheoryData<string> Small => PresetTable.OneOfEach;

    [Theory, MemberData(nameof(Small))]
    public void A_small_preset_of_each_model_computes_in_OnnxRuntime_what_it_computes_here(string name) => Check(name, optimizes: false);

    [SlowTheory, MemberData(nameof(Presets))]
    public void Every_preset_computes_in_OnnxRuntime_with_its_optimizations_what_it_computes_here(string name) =>
        Check(name, optimizes: true);

    private static void Check(string name, bool optimizes)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var model = Model(name);
        foreach (var outputs in new[] { OnnxOutputs.LogProb | OnnxOutputs.Encode | OnnxOutputs.LogDet, OnnxOutputs.Decode })
        {
            if (OnnxRefusals.Of(model) is not { } refusal) continue;
            var export = () => model.ToOnnx(new() { Outputs = outputs });
            export.Should().Throw<OnnxExportException>().WithMessage($"{model.GetName()}.ToOnnx: bijection*({refusal})*");
            return;
        }
        Compare(model, PresetTable.All[name], optimizes).OfType<string>().Should().BeEmpty();
    }

    private static IEnumerable<string?> Compare(FlowModel model, ModelOptions options, bool optimizes)
    {
        const long seed = 5;
        var x = PresetTable.Examples(options, Rows).to(float32);
        var context = PresetTable.Context(options, Rows)?.to(float32);
        var noise = NoiseOf(options, x, seed);
        using var forward =
            new OnnxSession(model.ToOnnx(new() { Outputs = OnnxOutputs.LogProb | OnnxOutputs.Encode | OnnxOutputs.LogDet }),
            optimizes);
        using var inverse = new OnnxSession(model.ToOnnx(new() { Outputs = OnnxOutputs.Decode }), optimizes);
        var given = forward.Run(("x", x), ("context", context), ("noise", noise));
        var (logProb, z) = (model.LogProb(x, context, seed), model.Encode(x, context, seed));
        var back = inverse.Run(("z", z), ("context", context))["x"];
        var decoded = model.Decode(z, context);
        model.to(float64);
        // the noise of float32 in float64 too: what it makes of integers is data of the layers behind
        var (preciseZ, preciseLogProb) = Precise(model, x.to(float64), context?.to(float64), noise?.to(float64));
        yield return OnnxGaps.Of("log_prob", given["log_prob"], logProb, preciseLogProb);
        yield return OnnxGaps.Of("z", given["z"], z, preciseZ);
        var exact = model.Decode(z.to(float64), context?.to(float64));
        yield return options.Levels == 0 ? OnnxGaps.Of("x", back, decoded, exact) : Integers(back, decoded);
    }

    private static (Tensor, Tensor) Precise(Flow model, Tensor x, Tensor? context, Tensor? noise)
    {
        if (noise is null) return (model.Encode(x, context), model.LogProb(x, context));
        // a seed gives other noise in float64: its layer is done by hand
        var layers = ((Chain)model.Bijection).Layers;
        var at = layers.ToList().FindIndex(l => l is UniformDequantization);
        var levels = ((UniformDequantization)layers[at]).Levels;
        var (value, total) = (x.add(noise).div(levels),
            zeros(x.shape[0], dtype: float64).sub(noise.numel() / x.shape[0] * Math.Log(levels)));
        foreach (var layer in layers.Skip(at + 1))
        {
            var (next, logDet) = layer.Forward(value, layer.ContextSize > 0 ? context : null);
            (value, total) = (next, total.add(logDet));
        }
        return (value, total.add(model.BaseDensity.LogProb(value, model.BaseDensity.ContextSize > 0 ? context : null)));
    }

    private static string? Integers(Tensor graph, Tensor library) =>
        // a value that rounding takes over the edge of a cell is another integer
        graph.sub(library).abs().max().item<float>() is var most && most <= 1
            && graph.ne(library).sum().item<long>() <= Math.Max(1, graph.numel() / 500) ? null : $"x: integers that differ by {most}";

    private static Tensor? NoiseOf(ModelOptions options, Tensor x, long seed)
    {
        if (options.Levels == 0) return null;
        using var random = PassState.Seed(seed);
        var margin = UniformDequantization.Margin(options.Levels, float32);
        return Noise.Uniform(x.shape, float32, CPU, PassState.Current!.Generator, margin, 1 - margin);
    }

    private static FlowModel Model(string name)
    {
        manual_seed(1);
        var model = PresetTable.All[name].NewModel();
        RandomWeights.Draw(model, 2, 0.05);
        model.eval();
        return model;
    }
}
