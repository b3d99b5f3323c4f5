using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>In whatever mode the caller is, and whatever the caller's tensors
/// require: training is right, or says before any work what is wrong.</summary>
public class CallersModeTests
{
    private static readonly TrainingOptions brief = new() { Epochs = 2, BatchSize = 50, ValidationFraction = 0.2, AverageDecay = 0.9 };

    public static TheoryData<string> Models => ["RealNvp", "Maf", "Spline", "Glow"];

    private static FlowModel Make(string name) => name switch
    {
        "RealNvp" =>
            new RealNvpModel(RealNvpOptions.Tabular(4) with { Layers = 2, Hidden = 8, FlowBatchNorm = true, ContextSize = 1 }, 0),
        "Maf" => new MafModel(MafOptions.Tabular(4) with { Layers = 2, Hidden = 8, ContextSize = 1 }, 0),
        "Spline" => new SplineFlowModel(SplineFlowOptions.Tabular(4) with { Layers = 2, Hidden = 8, ContextSize = 1 }, 0),
        _ =>
            new GlowModel(GlowOptions.Digits8x8 with { Shape = [1, 4, 4], Levels = 0, Scales = 1, Layers = 2, Hidden = 8, ContextSize = 1 },
            0),
    };

    private static (Tensor X, Tensor Context) Data(FlowModel model)
    {
        using var generator = new Generator(1);
        return (randn(model.InputShape.WithBatch(100), generator: generator), randn([100, 1], generator: generator));
    }

    [Theory, MemberData(nameof(Models))]
    public void A_training_does_not_depend_on_the_mode_of_its_caller(string name)
    {
        using var scope = NewDisposeScope();
        var losses = new List<double>();
        foreach (var mode in new Func<IDisposable>[] { () => enable_grad(), () => no_grad(), () => inference_mode() })
        {
            using var model = Make(name);
            var (x, context) = Data(model);
            using (mode())
            {
                using var trainer = new Trainer(model, brief);
                losses.Add(trainer.Fit(TrainingData.From(x, context)).History[^1].Loss);
            }
            is_grad_enabled().Should().BeTrue("the caller's mode is as before");
        }
        losses.Distinct().Should().ContainSingle();
    }

    [Theory, MemberData(nameof(Models))]
    public void Data_made_in_inference_mode_are_as_good_as_others(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var loader in new[] { false, true })
        {
            using var model = Make(name);
            Tensor x, context;
            using (inference_mode())
            {
                var (a, b) = Data(model);
                (x, context) = (a.clone(), b.clone());
            }
            using var trainer = new Trainer(model, brief with { ValidationFraction = loader ? 0 : 0.2 });
            IEnumerable<(Tensor, Tensor)> Loader()
            {
                using var _ = inference_mode();
                yield return (x.clone(), context.clone());
            }
            trainer.Fit(loader ? TrainingData.FromBatches(Loader(), 1) : TrainingData.From(x, context)).Step.Should().Be(loader ? 2 : 4);
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void A_flow_built_in_inference_mode_is_refused_before_any_work(string name)
    {
        FlowModel model;
        using (inference_mode()) model = Make(name);
        using (model)
            FluentActions.Invoking(() => new Trainer(model, brief)).Should().Throw<ArgumentException>()
                .WithMessage("*inference_mode()*Build or load the flow outside of it*");
    }

    [Theory, MemberData(nameof(Models))]
    public void Training_leaves_no_gradients_in_the_tensors_of_the_caller(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var loader in new[] { false, true })
        {
            using var model = Make(name);
            var (x, context) = Data(model);
            x.requires_grad_(true);
            context.requires_grad_(true);
            using var trainer = new Trainer(model, brief with { ValidationFraction = loader ? 0 : 0.2, Epochs = 1 });
            trainer.Fit(loader ? TrainingData.FromBatches([(x.alias(), context.alias())], 1) : TrainingData.From(x, context), loader ? null
                : TrainingData.From(x, context));
            x.grad.Should().BeNull();
            context.grad.Should().BeNull();
            x.requires_grad.Should().BeTrue();
            x.IsInvalid.Should().BeFalse();
        }
    }

    [Fact]
    public void Disposed_data_are_named_before_any_work()
    {
        using var model = Make("RealNvp");
        var (x, context) = Data(model);
        var data = TrainingData.From(x, context);
        context.Dispose();
        using var trainer = new Trainer(model, brief);
        FluentActions.Invoking(() => trainer.Fit(data)).Should().Throw<ObjectDisposedException>().WithMessage("*'data' has been disposed*");
        x.Dispose();
        FluentActions.Invoking(() => trainer.Fit(data)).Should().Throw<ObjectDisposedException>();
        FluentActions.Invoking(() => Trainer.FitLayers(model, data)).Should().Throw<ObjectDisposedException>();
        model.Standardization!.IsFitted.Should().BeFalse();
    }
}
