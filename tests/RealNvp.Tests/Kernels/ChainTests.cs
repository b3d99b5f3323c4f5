using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class ChainTests
{
    // residual networks measure their norms anew in each step
    public static TheoryData<string> Presets => [.. PresetTable.All.Where(p => p.Value.Shape.Count == 1 && p.Value.Levels == 0
        && p.Value is not ResidualFlowVectorOptions).Select(p => p.Key)];

    [Theory, MemberData(nameof(Presets))]
    public void A_preset_of_vectors_trains_as_layer_by_layer_to_the_last_bit(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name);
        RandomWeights.Draw(model, seed: 4, spread: 0.1);
        // in float32, as kernels want it
        model.to(float32);
        model.train();
        using var generator = new Generator(8);
        var x = randn(PresetTable.All[name].Shape.WithBatch(130), generator: generator).mul(0.5);
        var context = PresetTable.Context(PresetTable.All[name], 130)?.to(float32);
        Tensor[] Step(bool chain)
        {
            using var _ = KernelSwitch.Set(chain, nameof(KernelSwitches.Chain));
            var state = model.state_dict().ToDictionary(s => s.Key, s => s.Value.clone());
            model.zero_grad();
            var leaf = x.detach().requires_grad_();
            var loss = model.NegativeLogLikelihood(leaf, context, seed: 3);
            loss.backward();
            var results = new[] { loss.detach(), leaf.grad! }.Concat(model.parameters().Where(p => p.grad is not null)
                .Select(p => p.grad!.clone())).ToArray();
            // what the step has changed, such as running statistics
            using (no_grad())
                foreach (var (key, value) in model.state_dict()) value.copy_(state[key]);
            return results;
        }
        var (together, alone) = (Step(true), Step(false));
        together.Length.Should().Be(alone.Length);
        for (var i = 0; i < alone.Length; i++) KernelResults.Same(together[i], alone[i]).Should().BeTrue("of result {0}", i);
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(6), InlineData(7), InlineData(8)]
    public void Random_chains_give_what_their_layers_give_one_after_the_other(int seed)
    {
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        var contextSize = seed % 2 == 0 ? 3 : 0;
        using var chain = new Chain([.. Enumerable.Range(0, 6).Select(_ => Layer(random, contextSize))]);
        RandomWeights.Draw(chain, seed, spread: 0.1);
        chain.eval();
        foreach (var rows in new[] { 1, 7, 130 })
            foreach (var inverse in new[] { false, true })
            {
                var together = Results(chain, rows, contextSize, inverse, true);
                var alone = Results(chain, rows, contextSize, inverse, false);
                for (var i = 0; i < alone.Length; i++)
                    // a layer of the test's own rounds in other places alone
                    KernelResults.ApartOfLargest(together[i], alone[i]).Should().BeLessThan(2e-6, "of result {0}", i);
            }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Couplings_with_linear_layers_between_them_are_one_operation(bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        long Calls(int layers)
        {
            using var model = new SplineFlowModel(SplineFlowOptions.Tabular(10) with { Layers = layers }, seed: 1);
            model.eval();
            var x = randn(600, 10);
            using var calls = RealNvp.Benchmarks.NativeCalls.Start();
            Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
            if (inverse) model.Decode(x);
            else model.Encode(x);
            return calls.Outer;
        }
        Calls(6).Should().Be(Calls(2));
    }

    [Fact]
    public void Gradients_of_gradients_are_those_of_plain_operations()
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(Coupling(0, 3), Permutation.Reversal([5]), new InvertedLayer(Coupling(1, 3)), new Stretch(5),
            new ActNorm([5]), new InvertibleLinearLayer([5]), new InvertedLayer(new InvertibleLinearLayer([5])));
        RandomWeights.Draw(chain, 1, spread: 0.3);
        chain.eval();
        var (x, context) = Inputs(9, 3);
        Tensor[] Second(IDisposable off)
        {
            using var _ = off;
            return KernelResults.SecondGradients(chain, leaf => chain.Forward(leaf, context), x);
        }
        var (together, plain) = (Second(KernelSwitch.Set(true, nameof(KernelSwitches.Chain))), Second(KernelSwitch.AllOff()));
        together.Length.Should().Be(plain.Length).And.BeGreaterThan(5);
        for (var i = 0; i < plain.Length; i++) KernelResults.ApartOfLargest(together[i], plain[i]).Should().BeLessThan(1e-4);
    }

    [Fact]
    public void A_layer_of_the_users_is_a_step_as_ours_are_and_runs_alone_where_it_must()
    {
        using var scope = NewDisposeScope();
        using var own = new Stretch(5);
        using var chain = new Chain(Coupling(0, 0), own, Coupling(1, 0));
        RandomWeights.Draw(chain, 1, spread: 0.3);
        var together = Results(chain, 20, 0, false, true);
        (own.Steps, own.Alone).Should().Be((2, 0));
        var alone = Results(chain, 20, 0, false, false);
        (own.Steps, own.Alone).Should().Be((2, 2));
        for (var i = 0; i < alone.Length; i++) KernelResults.ApartOfLargest(together[i], alone[i]).Should().BeLessThan(1e-6);

        // somebody looks at each layer
        using (var model = new Flow([5], chain))
        {
            model.ReversibleTraining = true;
            model.train();
            model.NegativeLogLikelihood(Inputs(20, 0).X).backward();
            own.Steps.Should().Be(2);
            model.ReversibleTraining = false;
            model.to(float64);
            model.NegativeLogLikelihood(Inputs(20, 0).X.to(float64)).backward();
            own.Steps.Should().Be(2);
        }
    }

    [Fact]
    public void A_hook_runs_and_frozen_weights_get_nothing()
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(Coupling(0, 0), Coupling(1, 0), Coupling(2, 0));
        RandomWeights.Draw(chain, 1);
        var calls = 0;
        var hooked = (Mlp)((CouplingLayer)chain.Layers[1]).Conditioner;
        var hook = hooked.register_forward_hook((_, _, _, output) => { calls++; return output; });
        chain.Forward(Inputs(4, 0).X);
        calls.Should().Be(1);
        hook.remove();
        foreach (var parameter in chain.Layers[1].parameters()) parameter.requires_grad_(false);
        var (value, logDet) = chain.Forward(Inputs(4, 0).X);
        value.sum().add(logDet.sum()).backward();
        calls.Should().Be(1);
        foreach (var parameter in chain.Layers[0].parameters().Concat(chain.Layers[2].parameters()))
            parameter.grad!.isfinite().all().item<bool>().Should().BeTrue();
        chain.Layers[1].parameters().Count(p => p.grad is not null).Should().Be(0);
    }

    [Fact]
    public void Gradients_add_up_over_backward_passes_and_a_changed_weight_is_an_error()
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(Coupling(0, 0), Coupling(1, 0));
        RandomWeights.Draw(chain, 1);
        var (x, _) = Inputs(10, 0);
        chain.Forward(x).LogDet.sum().backward();
        var once = chain.parameters().Select(p => p.grad!.clone()).ToArray();
        chain.Forward(x).LogDet.sum().backward();
        foreach (var (grad, first) in chain.parameters().Select(p => p.grad!).Zip(once))
            KernelResults.ApartOfLargest(grad, first.mul(2)).Should().BeLessThan(1e-6);

        // never stale: who changes a weight before the backward pass hears of it
        var loss = chain.Forward(x).LogDet.sum();
        using (no_grad()) chain.parameters().First().add_(1);
        var act = () =>
        {
            loss.backward();
            chain.Forward(x.detach().requires_grad_());
        };
        act.Should().Throw<Exception>().WithMessage("*modified by an inplace operation*");
    }

    [Fact]
    public void An_input_that_is_changed_in_place_gives_no_wrong_gradient_to_who_asks_for_one()
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(Coupling(0, 0), Coupling(1, 0));
        RandomWeights.Draw(chain, 1);
        var (x, _) = Inputs(10, 0);
        var leaf = x.detach().requires_grad_();
        var input = leaf.mul(2);
        var loss = chain.Forward(input).LogDet.sum();
        using (no_grad()) input.add_(1);
        Tensor[] asked = [leaf, .. chain.parameters()];
        // one that is not there would end the process
        foreach (var gradient in autograd.grad([loss], asked)) gradient.isnan().all().item<bool>().Should().BeTrue();
        var next = () => chain.Forward(x.detach().requires_grad_());
        next.Should().Throw<Exception>().WithMessage("*modified by an inplace operation*");
    }

    [Fact]
    public void Layers_may_be_disposed_before_the_backward_pass()
    {
        using var scope = NewDisposeScope();
        var (x, _) = Inputs(10, 0);
        Tensor Gradient(bool disposes)
        {
            manual_seed(5);
            using var chain = new Chain(Coupling(0, 0), Coupling(1, 0));
            RandomWeights.Draw(chain, 1, spread: 0.3);
            var leaf = x.detach().requires_grad_();
            var (value, logDet) = chain.Forward(leaf);
            if (disposes) chain.Dispose();
            (value.square().sum() + logDet.sum()).backward();
            KernelFault.Throw();
            return leaf.grad!;
        }
        KernelResults.Same(Gradient(true), Gradient(false)).Should().BeTrue();
    }

    [Fact]
    public void A_step_whose_tape_is_too_long_for_a_span_is_a_layer_alone()
    {
        using var scope = NewDisposeScope();
        using var long1 = new Stretch(5) { TapeOfRow = int.MaxValue };
        using var chain = new Chain(Coupling(0, 0), Coupling(1, 0), long1, Coupling(0, 0));
        RandomWeights.Draw(chain, 1, spread: 0.3);
        var (x, _) = Inputs(10, 0);
        chain.Forward(x.detach().requires_grad_()).LogDet.sum().backward();
        KernelFault.Throw();
        long1.Alone.Should().Be(1);
        chain.parameters().Count(p => p.grad is null).Should().Be(0);
    }

    private static Tensor[] Results(Bijection layer, int rows, int contextSize, bool inverse, bool chain)
    {
        var (x, context) = Inputs(rows, contextSize);
        return KernelResults.OfLayer(layer, x, context, inverse, chain, rounding: 1e-5);
    }

    private static (Tensor X, Tensor? Context) Inputs(int rows, int contextSize)
    {
        using var generator = new Generator(3);
        return (randn([rows, 5], generator: generator), contextSize > 0 ? randn([rows, contextSize], generator: generator) : null);
    }

    private static Bijection Layer(Random random, int contextSize) => random.Next(8) switch
    {
        0 => Permutation.Random([5], random.Next()),
        1 => new InvertedLayer(Coupling(random.Next(), contextSize)),
        2 => new AutoregressiveLayer(new AffineTransformer([1]), new Made(5, 2, new() { Hidden = 12, ContextSize = contextSize })),
        3 => new CouplingLayer([5], Mask.Alternating(5), new SplineTransformer(4, 3),
            size => new ResidualMlp(size.Inputs, size.Outputs, 10, 1, contextSize)),
        4 => new Stretch(5),
        5 => new InvertibleLinearLayer([5]),
        6 => new ActNorm([5]),
        _ => Coupling(random.Next(), contextSize),
    };

    private static AffineCouplingLayer Coupling(int seed, int contextSize) => new([5], seed % 2 == 0 ? Mask.Alternating(5)
        : !Mask.Alternating(5), size => new Mlp(size.Inputs, size.Outputs, 12, 2, contextSize));
}
