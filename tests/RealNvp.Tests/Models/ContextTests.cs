using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Contexts of every form, and the flow as a distribution.</summary>
public class ContextTests
{
    [Fact, LeavesNoTensors]
    public void Labels_are_one_hot_or_learned_vectors()
    {
        using var scope = NewDisposeScope();
        using var oneHot = new LabelEncoder(4);
        using var learned = new LabelEncoder(4, 3);
        var labels = tensor(new long[] { 2, 0, 3 });
        oneHot.call(labels).equal(tensor(new float[,] { { 0, 0, 1, 0 }, { 1, 0, 0, 0 }, { 0, 0, 0, 1 } })).all().item<bool>().Should()
            .BeTrue();
        learned.call(labels).shape.Should().Equal(3, 3);
        learned.call(labels.to(int32))[1].sub(learned.state_dict()["vectors"][0]).abs().max().item<float>().Should().Be(0);
        using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 3)),
            contextEncoder: learned);
        flow.ContextSize.Should().Be(3);
        var x = randn(3, 2);
        flow.LogProb(x, labels).shape.Should().Equal(3);
        flow.Decode(flow.Encode(x, labels), labels).sub(x).abs().max().item<float>().Should().BeLessThan(1e-5f);
        flow.Sample(5, labels).shape.Should().Equal(3, 5, 2);
        flow.Evaluate(x, labels).Count.Should().Be(3);
        FluentActions.Invoking(() => flow.LogProb(x)).Should().Throw<ArgumentNullException>()
            .WithMessage("*Flow.LogProb is conditional: it needs contexts of shape (N,)*");
        FluentActions.Invoking(() => flow.LogProb(x, labels[..2])).Should().Throw<ArgumentException>()
            .WithMessage("*contexts of shape (N,) with N = 3; got (2,)*");
        FluentActions.Invoking(() => flow.LogProb(x, tensor(new[] { 0f, 1, 2 }))).Should().Throw<ArgumentException>()
            .WithMessage("*labels of an integer dtype; got Float32*");
        FluentActions.Invoking(() => flow.Sample(1, tensor(new long[] { 4 }))).Should().Throw<ArgumentException>()
            .WithMessage("*labels in 0 ... 3; got values in 4 ... 4*");
        FluentActions.Invoking(() => flow.Decode(x, labels.unsqueeze(1))).Should().Throw<ArgumentException>().WithMessage("*got (3, 1)*");
    }

    [Fact]
    public void A_network_makes_contexts_of_images_and_is_trained_with_the_flow()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var network = nn.Sequential(("flatten", nn.Flatten()), ("linear", nn.Linear(16, 5)), ("tanh", nn.Tanh()));
        using var encoder = new NetworkEncoder([1, 4, 4], 5, network);
        using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 5)),
            new DiagonalNormal([2], 5, 8), encoder);
        flow.ContextShape.Should().Be(EventShape.Create(1, 4, 4));
        var (x, images) = (randn(6, 2), randn(6, 1, 4, 4));
        for (var i = 0; i < 2; i++)
        {
            // the last layers start at zero: one step lets the gradient through
            using var loss = flow.NegativeLogLikelihood(x, images);
            loss.backward();
            using (no_grad()) foreach (var p in flow.parameters()) if (p.grad is { } g) p.sub_(g.mul(0.1));
        }
        flow.named_parameters().Where(p => p.name.StartsWith("context_encoder", StringComparison.Ordinal)).Should()
            .HaveCount(2).And.OnlyContain(p => p.parameter.grad!.abs().sum().item<float>() > 0);
        var (samples, logProb) = flow.SampleAndLogProb(3, images, seed: 1);
        samples.shape.Should().Equal(6, 3, 2);
        logProb.sub(flow.LogProb(samples.reshape(18, 2), images.repeat_interleave(3, 0)).reshape(6, 3)).abs().max().item<float>().Should()
            .BeLessThan(1e-4f);
        FluentActions.Invoking(() => flow.LogProb(x, randn(6, 4, 4))).Should().Throw<ArgumentException>()
            .WithMessage("*contexts of shape (N, 1, 4, 4) with N = 6; got (6, 4, 4)*");
        FluentActions.Invoking(() => flow.LogProb(x, full([6, 1, 4, 4], float.NaN))).Should().Throw<ArgumentException>()
            .WithMessage("*finite*");
        using var wrong = new NetworkEncoder([4], 5, nn.Linear(4, 6));
        FluentActions.Invoking(() => wrong.call(zeros(2, 4))).Should().Throw<InvalidOperationException>()
            .WithMessage("*must give (2, 5); it gave (2, 6)*");
    }

    [Fact]
    public void Parts_with_other_context_sizes_are_refused()
    {
        using var coupling = new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 3));
        using var normal = new DiagonalNormal([2], 4);
        using var labels = new LabelEncoder(4);
        FluentActions.Invoking(() => new Flow([2], coupling, normal)).Should().Throw<ArgumentException>()
            .WithMessage("*context sizes 3 and 4*");
        FluentActions.Invoking(() => new Flow([2], coupling, null, labels)).Should().Throw<ArgumentException>()
            .WithMessage("*gives 4 context features; the flow takes 3*");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_flow_is_a_distribution_with_its_shapes(bool conditional)
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3) with { ContextSize = conditional ? 2 : 0, Standardize = false },
            seed: 1);
        Laws.RandomWeights.Draw(flow, 2, 0.1);
        var context = conditional ? randn(4, 2) : null;
        using var distribution = new FlowDistribution(flow, context);
        distribution.event_shape.Shape.Should().Equal(3);
        distribution.batch_shape.Shape.Should().Equal(conditional ? [4L] : []);
        long[] batch = conditional ? [4] : [];
        var x = distribution.sample(5, 6);
        x.shape.Should().Equal([5, 6, .. batch, 3]);
        distribution.sample().shape.Should().Equal([.. batch, 3]);
        var logProb = distribution.log_prob(x);
        logProb.shape.Should().Equal([5, 6, .. batch]);
        // each value has met its own context
        var one = conditional ? flow.LogProb(x[2, 3], context) : flow.LogProb(x[2, 3].unsqueeze(0))[0];
        logProb[2, 3].sub(one).abs().max().item<float>().Should().BeLessThan(1e-4f);
        distribution.rsample(7).requires_grad.Should().BeTrue();
        x.requires_grad.Should().BeFalse();
        using var expanded = distribution.expand(new Size([2, .. batch]));
        expanded.sample(5).shape.Should().Equal([5, 2, .. batch, 3]);
        expanded.log_prob(expanded.sample(5)).shape.Should().Equal([5, 2, .. batch]);
        FluentActions.Invoking(() => distribution.log_prob(zeros(2, 5))).Should().Throw<ArgumentException>()
            .WithMessage("*log_prob expects values of shape*got (2, 5)*");
        FluentActions.Invoking(() => distribution.mean).Should().Throw<NotSupportedException>().WithMessage("*sample(10000)*");
        FluentActions.Invoking(distribution.entropy).Should().Throw<NotSupportedException>();
        if (conditional)
            FluentActions.Invoking(() => distribution.expand(new Size([3]))).Should().Throw<ArgumentException>()
                .WithMessage("*ends with that number*");
    }

    [Fact]
    public void Samples_of_a_distribution_belong_to_their_contexts()
    {
        using var scope = NewDisposeScope();
        using var normal = new ClassConditionalNormal([1], 3);
        using (no_grad()) normal.state_dict()["means"].copy_(tensor(new float[,] { { -100 }, { 0 }, { 100 } }));
        using var flow = new Flow([1], new DiagonalScaling([1]), normal);
        using var distribution = new FlowDistribution(flow, eye(3));
        distribution.sample(50).mean([0L]).sub(tensor(new float[,] { { -100 }, { 0 }, { 100 } })).abs().max().item<float>().Should()
            .BeLessThan(2);
        using var expanded = distribution.expand(new Size([2, 3]));
        expanded.sample(50).mean([0L, 1L]).sub(tensor(new float[,] { { -100 }, { 0 }, { 100 } })).abs().max().item<float>().Should()
            .BeLessThan(2);
    }
}
