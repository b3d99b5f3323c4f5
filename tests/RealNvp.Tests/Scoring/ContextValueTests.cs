using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>A context with NaN is refused by name and row at every entry, before any work.</summary>
public class ContextValueTests
{
    public static TheoryData<string> Presets => [.. PresetTable.All.Where(p => p.Value.ContextSize > 0).Select(p => p.Key)];

    [Theory, MemberData(nameof(Presets))]
    public void Not_a_number_in_a_context_names_the_context_its_row_and_the_method(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name);
        var options = PresetTable.All[name];
        var (x, bad) = (PresetTable.Examples(options, 4), PresetTable.Context(options, 4)!);
        using var distribution = new FlowDistribution(model, bad);
        bad[2, -1] = double.NaN;
        var one = bad[2].unsqueeze(0);
        // latents of a sphere are on it
        var latent = options.Base == BaseDensityKind.UniformSphere ? PresetTable.Examples(options, 4).to(float64)
            : zeros(model.LatentShape.WithBatch(4), dtype: float64);
        Tensor Standard(Tensor points) => points.flatten(1).square().sum(1).neg();
        using var loader = new Trainer(model, new TrainingOptions { Epochs = 1, BatchSize = 4, ValidationFraction = 0 });
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 1, BatchSize = 4, ValidationFraction = 0 });
        var own = model.GetName();
        var entries = new List<(string Owner, int Row, Action Call)>
        {
            ($"{own}.LogProb", 2, () => model.LogProb(x, bad)),
            ($"{own}.BitsPerDim", 2, () => model.BitsPerDim(x, bad)),
            ($"{own}.Encode", 2, () => model.Encode(x, bad)),
            ($"{own}.Decode", 2, () => model.Decode(latent, bad)),
            ($"{own}.Sample", 2, () => model.Sample(2, bad)),
            ($"{own}.SampleAndLogProb", 2, () => model.SampleAndLogProb(2, bad)),
            ($"{own}.Evaluate", 2, () => model.Evaluate(x, bad, batchSize: 2)),
            ($"{own}.NegativeLogLikelihood", 2, () => model.NegativeLogLikelihood(x, bad)),
            ($"{own}.Interpolate", 2, () => model.Interpolate(x, 2, context: bad)),
            ($"{own}.Interpolate", 0, () => model.Interpolate(x, 2, context: one)),
            ("FlowDistribution", 2, () => _ = new FlowDistribution(model, bad)),
            ("FlowDistribution.log_prob", 2, () => distribution.log_prob(x)),
            ("FlowDistribution.sample", 2, () => distribution.sample(3)),
            ("Trainer.Fit", 2, () => trainer.Fit(TrainingData.From(x, bad))),
        };
        // a standardization is fitted to tensors
        if (model.Standardization is null) entries.Add(("", 2, () => loader.Fit(TrainingData.FromBatches([(x.alias(), bad.alias())], 1))));
        if (options.Levels == 0)
            entries.AddRange([
                ($"{own}.RSampleAndLogProb", 2, () => model.RSampleAndLogProb(2, bad)),
                ("FlowDistribution.rsample", 2, () => distribution.rsample(3)),
                ("VariationalInference.ReverseKl", 2, () => VariationalInference.ReverseKl(model, Standard, 2, bad)),
                ("ImportanceSampling.Estimate", 0, () => ImportanceSampling.Estimate(model, Standard, 4, one)),
            ]);
        foreach (var (owner, row, call) in entries)
            call.Should().Throw<ArgumentException>("of {0}", owner)
                .WithMessage($"{owner}*context holds 1 value(s) that are NaN or infinite*in row {row}.*");
    }

    [Fact]
    public void Encoders_are_asked_and_what_they_give_is_looked_at()
    {
        using var scope = NewDisposeScope();
        using var encoder = new Halves();
        using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 2)),
            contextEncoder: encoder);
        var bad = ones(3, 4);
        // an encoder of a user may know what NaN means; this one does not
        bad[1, 0] = float.NaN;
        foreach (var call in new Action[] { () => flow.LogProb(zeros(3, 2), bad), () => flow.Decode(zeros(3, 2), bad),
            () => flow.Sample(2, bad), () => flow.RSampleAndLogProb(2, bad), () => flow.NegativeLogLikelihood(zeros(3, 2), bad), () =>
            flow.Evaluate(zeros(3, 2), bad) })
            call.Should().Throw<ArgumentException>().WithMessage("*the output of Halves holds * NaN or infinite*row*1*");
        using var labels = new LabelEncoder(3);
        using var classes = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 3)),
            contextEncoder: labels);
        foreach (var call in new Action[] { () => classes.RSampleAndLogProb(2, tensor(new long[] { 1, 3 })),
            () => classes.NegativeLogLikelihood(zeros(2, 2), tensor(new long[] { 1, 3 })), () =>
            _ = new FlowDistribution(classes, tensor(new long[] { 1, 3 })) })
            call.Should().Throw<ArgumentException>().WithMessage("*labels in 0 ... 2*");
    }

    [Fact]
    public void Samples_without_a_context_say_that_any_number_of_contexts_will_do()
    {
        using var scope = NewDisposeScope();
        using var flow = Inference.Flows.Random(1, context: 3, dtype: float32);
        foreach (var (call, owner) in new (Action, string)[] { (() => flow.Sample(5), "RealNvpModel.Sample"),
            (() => flow.SampleAndLogProb(5), "RealNvpModel.SampleAndLogProb"), (() => flow.RSampleAndLogProb(5),
            "RealNvpModel.RSampleAndLogProb"), (() => _ = new FlowDistribution(flow), "FlowDistribution") })
            call.Should().Throw<ArgumentNullException>().WithMessage($"{owner} is conditional: it needs a context of shape (M, 3)*");
        FluentActions.Invoking(() => flow.Sample(5, zeros(2, 4))).Should().Throw<ArgumentException>()
            .WithMessage("RealNvpModel.Sample expects a context of shape (M, 3); got (2, 4)*");
        using var labels = new LabelEncoder(3);
        using var classes = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 3)),
            contextEncoder: labels);
        FluentActions.Invoking(() => classes.Sample(5)).Should().Throw<ArgumentNullException>()
            .WithMessage("*needs contexts of shape (M,)*");
    }

    private sealed class Halves : ContextEncoder
    {
        public Halves() : base(nameof(Halves), [4], 2) => RegisterComponents();

        public override Tensor forward(Tensor input) => input.narrow(1, 0, 2).clone();
    }
}
