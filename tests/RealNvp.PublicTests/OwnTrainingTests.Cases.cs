using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <content>What is trained, and of what it is made.</content>
public partial class OwnTrainingTests
{
    private static readonly TrainingOptions options = new() { Epochs = 3, BatchSize = 16, LearningRate = 0.01, Seed = 7,
        WeightNormDecay = 0, MaxGradientNorm = 5 };

    /// <summary>Something to train, made anew at each call.</summary>
    private sealed record Case(Flow Flow, TrainerParts Parts, TrainingData Data, TrainingOptions Options) : IDisposable
    {
        public Func<TrainingOptions, TrainingOptions>? Change { get; init; }

        public void Dispose()
        {
            Flow.Dispose();
            foreach (var module in Parts.Objective.Modules.Values) module.Dispose();
        }
    }

    private static readonly Dictionary<string, Func<Case>> cases = new()
    {
        ["a loss of one's own"] = () =>
            new(Flow(), new() { Objective = Objective.From("sharpened", (flow, batch, seed) => flow.TrainingLogProb(batch.X, batch.Context,
                seed).mul(-1.5)) }, Rows(), options),
        ["weighted rows"] = () => new(Flow(), new(), TrainingData.From(Points(60), null, arange(60).to(float32).add(0.5)), options),
        ["reverse KL"] = () =>
            new(Flow(), new() { Objective = Objective.ReverseKl(x => LogNormal(x, 2), 16) }, TrainingData.None(20), options),
        ["reverse KL with contexts, total gradient"] = () =>
            new(Flow(context: 1), new() { Objective = Objective.ReverseKl(LogNormal, 4, GradientEstimator.Total) },
                TrainingData.FromContexts(Points(60).narrow(1, 0, 1)), options),
        ["an encoder beside the flow"] = () =>
            new(Flow(), new() { Objective = WithEncoder() }, TrainingData.From(cat([Points(60), Points(60)], 1)), options),
        ["two flows"] = () => new(Flow(), new() { Objective = TwoFlows() }, Rows(), options),
        ["an optimizer of one's own"] = () => new(Flow(), new() { Optimizer = groups => new Heavy(groups) }, Rows(), options),
        ["torch's SGD with momentum"] = () =>
            new(Flow(), new() { Optimizer = g => new TorchOptimizer(optim.SGD(All(g), 0.1, momentum: 0.9)) }, Rows(), options),
        ["torch's SGD with momentum in float64"] = () =>
            new(Flow(dtype: float64), new() { Optimizer = g => new TorchOptimizer(optim.SGD(All(g), 0.1, momentum: 0.9)) }, Rows(),
                options),
        ["torch's AdamW"] = () => new(Flow(), new() { Optimizer = g => new TorchOptimizer(optim.AdamW(All(g), 0.1)) }, Rows(), options),
        ["torch's RMSProp"] = () =>
            new(Flow(), new() { Optimizer = g => new TorchOptimizer(optim.RMSProp(All(g), 0.1, momentum: 0.5, centered: true)) }, Rows(),
                options),
        ["torch's NAdam"] = () => new(Flow(), new() { Optimizer = g => new TorchOptimizer(optim.NAdam(All(g), 0.1)) }, Rows(), options),
        ["torch's Rprop"] = () => new(Flow(), new() { Optimizer = g => new TorchOptimizer(optim.Rprop(All(g), 0.1)) }, Rows(), options),
        ["a schedule of one's own"] = () =>
            new(Flow(), new(), Rows(),
                options with { Schedule = new Zigzag { Every = 3 } }) { Change = o => o with { Schedule = new Zigzag { Every = 3 } } },
        ["data of one's own"] = () => new(Flow(), new(), new Ring(48), options),
    };

    private static Flow Flow(long context = 0, ScalarType dtype = ScalarType.Float32, bool actNorm = false)
    {
        manual_seed(3);
        var mask = Mask.Alternating(2);
        AffineCouplingLayer[] couplings = [new([2], mask, new ResidualMlp(1, 2, 8, 1, context)),
            new([2], !mask, new ResidualMlp(1, 2, 8, 1, context))];
        var flow = new Flow([2], new Chain(actNorm ? [new ActNorm([2]), .. couplings] : couplings));
        flow.to(dtype);
        return flow;
    }

    private static Tensor Points(long count)
    {
        using var generator = new Generator(11);
        return randn([count, 2], generator: generator).mul(1.5).add(1);
    }

    private static TrainingData Rows() => TrainingData.From(Points(60));

    private static Tensor LogNormal(Tensor x, Tensor mean) => x.sub(mean).square().sum(1).mul(-0.5);

    private static Tensor LogNormal(Tensor x, double mean) => x.sub(mean).square().sum(1).mul(-0.5);

    private static IEnumerable<TorchSharp.Modules.Parameter> All(IReadOnlyList<ParameterGroup> groups) =>
        groups.SelectMany(g => g.Parameters).Select(p => p.Parameter);

    // an autoencoder with a flow as its prior: -log p(code) + squared error
    private static Objective WithEncoder()
    {
        manual_seed(5);
        var (encoder, decoder) = (nn.Linear(4, 2), nn.Linear(2, 4));
        return Objective.From("autoencoder", (flow, batch, seed) =>
        {
            var code = encoder.call(batch.X);
            return decoder.call(code).sub(batch.X).square().sum(1).add(flow.TrainingLogProb(code, null, seed).mul(-0.1));
        }, new Dictionary<string, nn.Module> { ["encoder"] = encoder, ["decoder"] = decoder }, new() { DataAreFlowInputs = false });
    }

    private static Objective TwoFlows()
    {
        var second = Flow(actNorm: true);
        return Objective.From("two", (flow, batch, seed) => flow.TrainingLogProb(batch.X, null,
            seed).add(second.TrainingLogProb(batch.X.neg(), null, seed)).neg(), new Dictionary<string, nn.Module> { ["second"] = second });
    }

    private sealed class Listener(Action<TrainingProgress> hear) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => hear(value);
    }

    private static Dictionary<string, Tensor> State(Case of) =>
        of.Flow.state_dict().Concat(of.Parts.Objective.Modules.SelectMany(m => m.Value.state_dict()
            .Select(t => KeyValuePair.Create($"{m.Key}/{t.Key}", t.Value)))).ToDictionary(t => t.Key, t => t.Value.clone());
}
