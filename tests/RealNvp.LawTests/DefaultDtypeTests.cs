using RealNvp.Internal;
using RealNvp.Tests.Densities;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>What a program that computes in double throughout meets:
/// <c>torch.set_default_dtype(torch.float64)</c> before anything is made.</summary>
public class DefaultDtypeTests
{
    public static TheoryData<string> Layers => LayerTable.Names;

    public static TheoryData<string> Presets => PresetTable.Names;

    public static TheoryData<string> OneOfEach => PresetTable.OneOfEach;

    public static TheoryData<string> Densities => DensityTable.Names;

    public static TheoryData<string> Parts => [.. PartTable.Keys];

    /// <summary>Networks and encoders, each with an input of its own.</summary>
    private static IReadOnlyDictionary<string, (Func<nn.Module> Make, Func<nn.Module, Tensor> Run)> PartTable { get; } =
        new Dictionary<string, (Func<nn.Module>, Func<nn.Module, Tensor>)>
    {
        ["mlp"] = (() => new Mlp(3, 4, 8, 1, 2), m => ((Conditioner)m).call(randn(2, 3), randn(2, 2))),
        ["residual mlp"] = (() => new ResidualMlp(3, 4, 8, 1, 2), m => ((Conditioner)m).call(randn(2, 3), randn(2, 2))),
        ["masked network"] = (() => new Made(3, 2, new() { ContextSize = 2 }), m => ((Conditioner)m).call(randn(2, 3), randn(2, 2))),
        ["residual convolutions"] = (() => new ResidualConvNet(2, 4, new() { HiddenChannels = 4, Blocks = 1, ContextSize = 2 }),
            m => ((Conditioner)m).call(randn(2, 2, 4, 4), randn(2, 2))),
        ["Glow's convolutions"] = (() => new GlowConvNet(2, 4, 5, 2), m => ((Conditioner)m).call(randn(2, 2, 4, 4), randn(2, 2))),
        ["labels, one-hot"] = (() => new LabelEncoder(3), m => ((ContextEncoder)m).call(tensor([0L, 2]))),
        ["labels, learned"] = (() => new LabelEncoder(3, 2), m => ((ContextEncoder)m).call(tensor([0L, 2]))),
        ["network as encoder"] = (() => new NetworkEncoder([3], 2, nn.Linear(3, 2)), m => ((ContextEncoder)m).call(randn(2, 3))),
    };

    [Theory, MemberData(nameof(Layers))]
    public void Every_layer_holds_in_it(string name) => InDouble(() =>
    {
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        AllDouble(layer);
        using var sample = row.Sample?.Invoke();
        var x = sample ?? rand(row.Shape.WithBatch(4)).mul(0.8).add(0.1);
        var context = layer.ContextSize > 0 ? randn(4, layer.ContextSize) : null;
        layer.eval();
        var (z, logDet) = layer.Forward(x, context);
        var (back, logDetBack) = layer.Inverse(z, context);
        new[] { z, logDet, back, logDetBack }.Should().OnlyContain(t => t.dtype == float64);
        back.sub(x).abs().max().item<double>().Should().BeLessThan(1e-9);
        layer.train();
        (z, logDet) = layer.Forward(x, context);
        var loss = z.mul(z).sum() - logDet.sum();
        if (loss.requires_grad) loss.backward();
        layer.parameters().Select(p => p.grad).OfType<Tensor>().Should().NotContain(g => g.dtype != float64);
    });

    [Theory, MemberData(nameof(Densities))]
    public void Every_density_holds_in_it(string name) => InDouble(() =>
    {
        using var density = DensityTable.Find(name).Make();
        AllDouble(density);
        var context = density.ContextSize > 0 ? nn.functional.one_hot(tensor([0L, 1, 2]), 3).to(float64) : null;
        var z = density.Sample(3, 1, float64, CPU, null, context);
        z.dtype.Should().Be(float64);
        density.LogProb(z, context).dtype.Should().Be(float64);
    });

    [Theory, MemberData(nameof(Parts))]
    public void Every_network_and_encoder_holds_in_it(string name) => InDouble(() =>
    {
        var (make, run) = PartTable[name];
        using var part = make();
        AllDouble(part);
        run(part).dtype.Should().Be(float64);
    });

    [Theory, MemberData(nameof(OneOfEach))]
    public void Every_model_trains_saves_and_loads_in_it(string name) => TrainSaveAndLoad(name);

    [SlowTheory, MemberData(nameof(Presets))]
    public void Every_preset_trains_saves_and_loads_in_it(string name) => TrainSaveAndLoad(name);

    private static void TrainSaveAndLoad(string name) => InDouble(() =>
    {
        var options = PresetTable.All[name];
        using var folder = new TemporaryFolder();
        using var model = options.NewModel();
        AllDouble(model);
        var (x, context) = (PresetTable.Examples(options, 8), PresetTable.Context(options, 8));
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 1, BatchSize = 4, ValidationFraction = 0,
                AverageDecay = 0.9 }))
            trainer.Fit(TrainingData.From(x, context)).Step.Should().Be(2);
        AllDouble(model);
        model.eval();
        model.Sample(2, context?[..1]).dtype.Should().Be(float64);
        var path = Path.Combine(folder.Path, "model.safetensors");
        model.Save(path);
        using var loaded = FlowModel.Load(path);
        AllDouble(loaded);
        loaded.LogProb(x, context, seed: 1).equal(model.LogProb(x, context, seed: 1)).all().item<bool>().Should().BeTrue();
        // a model moves to the other dtype as a whole
        loaded.to(float32);
        loaded.LogProb(x.to(float32), context?.to(float32), seed: 1).dtype.Should().Be(float32);
    });

    [Theory, InlineData(ScalarType.Float16), InlineData(ScalarType.BFloat16)]
    public void A_dtype_with_too_few_digits_is_refused_by_name(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        foreach (var make in LayerTable.All.Select(row => (Action)(() => row.Make().Dispose())).Concat(DensityTable.All.Select(row =>
            (Action)(() => row.Make().Dispose()))).Concat(PresetTable.All.Values.Select(o => (Action)(() => o.NewModel().Dispose()))))
            DefaultDtype.Run(dtype, () => make.Should().Throw<InvalidOperationException>()
                .WithMessage($"*float32 or float64*{dtype}*set_default_dtype*"));
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, 0);
        model.to(dtype);
        model.eval();
        foreach (var call in new Action[] { () => model.LogProb(zeros(2, 2, dtype: dtype)), () => model.Encode(zeros(2, 2, dtype: dtype)),
            () => model.Decode(zeros(2, 2, dtype: dtype)), () => model.Sample(2) })
            call.Should().Throw<ArgumentException>().WithMessage($"*float32 or float64*{dtype}*torch.float32*");
    }

    private static void InDouble(Action action)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        DefaultDtype.Run(float64, action);
    }

    private static void AllDouble(nn.Module module)
    {
        foreach (var (key, value) in module.state_dict())
            if (value.is_floating_point()) value.dtype.Should().Be(float64, key);
        foreach (var bijection in module.modules().Append(module).OfType<Bijection>())
            (bijection.ConstantDtype ?? float64).Should().Be(float64);
    }
}
