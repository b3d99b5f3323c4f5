using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Layers of images that run as one operation.</summary>
[LeavesNoTensors]
public class ImageChainTests
{
    private static readonly EventShape shape = [12, 6, 8];

    [Theory, InlineData(CouplingKind.Affine, false), InlineData(CouplingKind.Affine, true), InlineData(CouplingKind.Additive, false)]
    public void A_Glow_trains_and_draws_as_layer_by_layer_to_the_last_bit(CouplingKind coupling, bool priors)
    {
        using var scope = NewDisposeScope();
        using var model = Glow(coupling, priors);
        using var generator = new Generator(8);
        var x = randint(0, 256, [7, 3, 8, 8], generator: generator).to(float32);
        // the first batch of training sets each ActNorm
        Tensor[] Step(bool chain)
        {
            using var _ = KernelSwitch.Set(chain, nameof(KernelSwitches.Chain));
            model.zero_grad();
            var leaf = x.detach().requires_grad_();
            var loss = model.NegativeLogLikelihood(leaf, seed: 4);
            loss.backward();
            model.eval();
            Tensor[] results = [loss.detach(), leaf.grad!, .. model.parameters().Select(p => p.grad!.clone()),
                .. model.state_dict().Values.Select(v => v.clone()), model.LogProb(x, seed: 2), model.Encode(x, seed: 2),
                model.Sample(5, seed: 3)];
            model.train();
            return results;
        }
        Step(true);
        var (together, alone) = (Step(true), Step(false));
        together.Length.Should().Be(alone.Length);
        for (var i = 0; i < alone.Length; i++) KernelResults.Same(together[i], alone[i]).Should().BeTrue("of result {0}", i);
    }

    [Fact]
    public void The_first_batch_sets_what_it_sets_layer_by_layer()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(8);
        var x = randint(0, 256, [7, 3, 8, 8], generator: generator).to(float32);
        Tensor[] First(bool chain)
        {
            using var _ = KernelSwitch.Set(chain, nameof(KernelSwitches.Chain));
            using var model = Glow(CouplingKind.Affine, priors: false);
            var loss = model.NegativeLogLikelihood(x, seed: 4);
            loss.backward();
            return [loss.detach(), .. model.state_dict().Values.Select(v => v.clone()), .. model.parameters().Select(p => p.grad!.clone())];
        }
        var (together, alone) = (First(true), First(false));
        for (var i = 0; i < alone.Length; i++) KernelResults.Same(together[i], alone[i]).Should().BeTrue("of result {0}", i);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void All_steps_of_a_scale_are_one_operation(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        long Calls(int steps)
        {
            using var chain = Steps(steps, 4);
            var x = Draw(3);
            using var calls = RealNvp.Benchmarks.NativeCalls.Start(byName: true);
            Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
            if (inverse) chain.Inverse(x);
            else chain.Forward(x);
            return calls.Outer;
        }
        Calls(6).Should().Be(Calls(2));
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void Random_chains_give_what_their_layers_give_one_after_the_other(int seed)
    {
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        using var chain = new Chain([.. Enumerable.Range(0, 8).Select(_ => Layer(random))]);
        RandomWeights.Draw(chain, seed, spread: 0.1);
        chain.eval();
        // layouts and sizes that lie in memory as others leave them
        Func<Tensor, Tensor>[] layouts = [t => t, ChannelsLast.Of, t => cat([t, t], 1).narrow(1, 12, 12)];
        foreach (var layout in layouts)
            foreach (var inverse in new[] { false, true })
            {
                Tensor[] Results(bool together) => KernelResults.OfLayer(chain, layout(Draw(5)), null, inverse, together,
                    rounding: 1e-4);
                var (together, alone) = (Results(true), Results(false));
                // log-determinants of layers that a chain is behind are added in another order
                KernelResults.ApartOfLargest(together[1], alone[1]).Should().BeLessThan(1e-6);
                for (var i = 0; i < alone.Length; i++)
                    (i == 1 || KernelResults.Same(together[i], alone[i])).Should().BeTrue("of result {0}, inverse {1}", i, inverse);
            }
    }

    // what a layer gets may want gradients because of weights of the layers before it alone
    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(6), InlineData(7), InlineData(8)]
    public void Any_weights_may_be_frozen_in_both_directions(int seed)
    {
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        manual_seed(seed);
        using var chain = new Chain([.. Enumerable.Range(0, 7).Select(_ => Layer(random)), Coupling(true)]);
        RandomWeights.Draw(chain, seed, spread: 0.1);
        chain.eval();
        foreach (var layer in chain.Layers.SkipLast(1))
            if (random.Next(2) == 0)
                foreach (var parameter in layer.parameters()) parameter.requires_grad_(false);
        var x = Draw(4);
        foreach (var inverse in new[] { false, true })
        {
            Tensor?[] Gradients(IDisposable switches)
            {
                using var _ = switches;
                chain.zero_grad();
                var (value, logDet) = inverse ? chain.Inverse(x) : chain.Forward(x);
                value.pow(3).sum().add(logDet.square().sum()).backward();
                KernelFault.Throw();
                return [value.detach(), logDet.detach(), .. chain.parameters().Select(p => p.grad?.clone())];
            }
            var (together, alone) = (Gradients(KernelSwitch.Set(true, nameof(KernelSwitches.Chain))),
                Gradients(KernelSwitch.Set(false, nameof(KernelSwitches.Chain))));
            var plain = Gradients(KernelSwitch.AllOff());
            for (var i = 0; i < plain.Length; i++)
            {
                (together[i] is null, alone[i] is null).Should().Be((plain[i] is null, plain[i] is null), "of result {0}", i);
                if (together[i] is not { } one) continue;
                KernelResults.ApartOfLargest(one, alone[i]!).Should().BeLessThan(2e-5, "of result {0}, inverse {1}", i, inverse);
                KernelResults.ApartOfLargest(one, plain[i]!).Should().BeLessThan(2e-3, "of result {0}, inverse {1}", i, inverse);
            }
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Gradients_of_gradients_are_those_of_plain_operations(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var chain = Steps(2, 3);
        Tensor[] Second(IDisposable off)
        {
            using var _ = off;
            return KernelResults.SecondGradients(chain, leaf => inverse ? chain.Inverse(leaf) : chain.Forward(leaf), Draw(2));
        }
        var (together, plain) = (Second(KernelSwitch.Set(true, nameof(KernelSwitches.Chain))), Second(KernelSwitch.AllOff()));
        together.Length.Should().Be(plain.Length).And.BeGreaterThan(10);
        for (var i = 0; i < plain.Length; i++) KernelResults.ApartOfLargest(together[i], plain[i]).Should().BeLessThan(2e-4);
    }

    [Fact]
    public void Frozen_layers_get_nothing_and_the_others_the_same()
    {
        using var scope = NewDisposeScope();
        using var chain = Steps(3, 5);
        var x = Draw(4);
        foreach (var part in chain.Layers.SelectMany(layer => layer.named_parameters().Take(1))) part.parameter.requires_grad_(false);
        foreach (var parameter in chain.Layers[3].parameters()) parameter.requires_grad_(false);
        Tensor?[] Gradients(bool on)
        {
            using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Chain));
            chain.zero_grad();
            var (value, logDet) = chain.Forward(x);
            value.square().sum().add(logDet.sum()).backward();
            return [.. chain.parameters().Select(p => p.grad?.clone())];
        }
        var (together, alone) = (Gradients(true), Gradients(false));
        together.Count(g => g is null).Should().BePositive().And.BeLessThan(together.Length);
        for (var i = 0; i < alone.Length; i++)
        {
            (together[i] is null).Should().Be(alone[i] is null, "of result {0}", i);
            if (together[i] is { } one) KernelResults.Same(one, alone[i]!).Should().BeTrue("of result {0}", i);
        }
    }

    [Fact]
    public void Layers_may_be_disposed_before_the_backward_pass_and_a_disposed_one_is_an_error_that_says_so()
    {
        using var scope = NewDisposeScope();
        Tensor Gradient(bool disposes)
        {
            using var chain = Steps(2, 6);
            var leaf = Draw(4).requires_grad_();
            var (value, logDet) = chain.Forward(leaf);
            if (disposes) chain.Dispose();
            (value.square().sum() + logDet.sum()).backward();
            KernelFault.Throw();
            return leaf.grad!;
        }
        KernelResults.Same(Gradient(true), Gradient(false)).Should().BeTrue();
        using var other = Steps(2, 6);
        other.Layers[4].Dispose();
        var forward = () => other.Forward(Draw(2));
        forward.Should().Throw<ObjectDisposedException>();
    }

    [Theory, InlineData(1), InlineData(2)]
    public void A_weight_of_another_shape_never_reads_past_its_end(int which)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var chain = Steps(2, 7);
        var weight = chain.Layers[which].parameters().First();
        using var small = ones([1]);
        weight.set_(small);
        var forward = () => chain.Forward(Draw(2));
        forward.Should().Throw<Exception>();
    }

    private static Bijection Layer(Random random) => random.Next(6) switch
    {
        0 => new ActNorm(shape),
        1 => new InvertibleLinearLayer(shape),
        2 => new InvertedLayer(Coupling(random.Next(2) == 0)),
        3 => Permutation.Random([12, 6, 8], random.Next()),
        _ => Coupling(random.Next(2) == 0),
    };

    private static Chain Steps(int count, int seed)
    {
        manual_seed(seed);
        var chain = new Chain([.. Enumerable.Range(0, count).SelectMany(i => new Bijection[]
        {
            new ActNorm(shape), new InvertibleLinearLayer(shape), Coupling(i % 2 == 0),
        })]);
        RandomWeights.Draw(chain, seed, spread: 0.1);
        chain.eval();
        return chain;
    }

    private static CouplingLayer Coupling(bool first) => new(shape, first ? Mask.ChannelWise(12) : !Mask.ChannelWise(12),
        new SigmoidAffineTransformer(), size => new GlowConvNet(size.Inputs, size.Outputs, 24));

    private static GlowModel Glow(CouplingKind coupling, bool priors)
    {
        var model = new GlowModel(new GlowOptions
        {
            Shape = [3, 8, 8],
            Scales = 2,
            Layers = 3,
            Hidden = 24,
            Coupling = coupling,
            LearnedPriors = priors,
        }, seed: 5);
        model.to(float32);
        model.train();
        return model;
    }

    private static Tensor Draw(int count)
    {
        using var generator = new Generator(3);
        return randn([count, .. shape], generator: generator);
    }
}
