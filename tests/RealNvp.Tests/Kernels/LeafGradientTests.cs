using System.Runtime.Intrinsics.X86;
using RealNvp.Benchmarks;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Gradients that kernels give to weights themselves are those that autograd gives, in all ways to ask for them.</summary>
public class LeafGradientTests
{
    public LeafGradientTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && Fma.IsSupported, "on Linux with kernels for x64 only");

    // a chain, one coupling, an autoregressive layer forward and feature by feature, residual blocks, a continuous flow
    public static TheoryData<string> Models => ["Toy2D", "Tabular, context", "Spline, Tabular", "MAF, Tabular", "IAF, Tabular",
        "Residual, Toy2D", "FFJORD, Toy2D"];

    [Fact]
    public void Libtorch_answers() => LeafGradients.CanTake.Should().BeTrue("the libtorch of this package is known");

    [Fact]
    public void Outside_of_a_backward_pass_there_is_none() => LeafGradients.IsPlain.Should().BeFalse();

    [Theory, MemberData(nameof(Models)), InlineData("Digits8x8")]
    public void A_backward_pass_gives_the_same_bits(string name) => Same(name, (loss, _) =>
    {
        loss.backward();
        return null;
    });

    [Theory, MemberData(nameof(Models))]
    public void A_second_pass_adds_to_the_first(string name) => Same(name, (loss, _) =>
    {
        // kept for the second one
        autograd.backward([loss], [ones_like(loss)], retain_graph: true);
        loss.backward();
        return null;
    });

    [Theory, MemberData(nameof(Models))]
    public void Gradients_that_are_asked_for_go_to_who_asks_and_stay_out_of_weights(string name)
    {
        Same(name, (loss, weights) =>
        {
            Tensor[] asked = [.. autograd.grad([loss], weights, allow_unused: true)];
            weights.Count(w => w.grad is not null).Should().Be(0, "nobody asked for sums in weights");
            return asked;
        });
    }

    [Theory, MemberData(nameof(Models))]
    public void A_pass_for_some_weights_leaves_the_others_alone(string name) => Same(name, (loss, weights) =>
    {
        autograd.backward([loss], [ones_like(loss)], inputs: [weights[0], weights[^1]]);
        weights.Skip(1).SkipLast(1).Count(w => w.grad is not null).Should().Be(0);
        return null;
    });

    [Fact]
    public void A_pass_that_makes_a_graph_makes_it() => Same("Toy2D", (loss, weights) =>
    {
        autograd.backward([loss], [ones_like(loss)], retain_graph: true, create_graph: true);
        var first = weights.Select(w => w.grad!).ToArray();
        first.Count(g => g.requires_grad).Should().BePositive();
        var penalty = first.Select(g => g.square().sum()).Aggregate((a, b) => a + b);
        return [.. autograd.grad([penalty], weights, allow_unused: true)];
    });

    [Theory, MemberData(nameof(Models)), InlineData("Digits8x8")]
    public void A_weight_that_is_frozen_after_the_forward_pass_gets_none(string name) => Same(name, (loss, weights) =>
    {
        var frozen = weights.Where((_, i) => i % 3 == 0).ToArray();
        foreach (var weight in frozen) weight.requires_grad = false;
        loss.backward();
        frozen.Count(w => w.grad is not null).Should().Be(0);
        foreach (var weight in frozen) weight.requires_grad = true;
        return null;
    }, digits: 1e-6);   // a weight of two nodes is summed in another order

    [Fact]
    public void A_weight_that_is_used_outside_too_gets_both_gradients() => Same("Toy2D", (loss, weights) =>
    {
        var decay = weights.Select(w => w.square().sum()).Aggregate((a, b) => a + b);
        (loss + decay).backward();
        return null;
    }, digits: 1e-6);

    [Fact]
    public void A_layer_that_runs_twice_gets_the_sum()
    {
        using var scope = NewDisposeScope();
        using var layer = new AffineCouplingLayer([5], Mask.Alternating(5), size => new Mlp(size.Inputs, size.Outputs, 12, 2, 0));
        RandomWeights.Draw(layer, 1, spread: 0.3);
        var x = randn(30, 5);
        Tensor[] Gradients(bool take)
        {
            using var _ = KernelSwitch.Set(take, nameof(KernelSwitches.Leaves));
            layer.zero_grad();
            var (y, first) = layer.Forward(x);
            var (z, second) = layer.Forward(y.flip(1));
            (z.square().sum() - first.sum() - second.sum()).backward();
            return [.. layer.parameters().Select(p => p.grad!.clone())];
        }
        var (taken, left) = (Gradients(true), Gradients(false));
        for (var i = 0; i < taken.Length; i++) KernelResults.ApartOfLargest(taken[i], left[i]).Should().BeLessThan(1e-6);
    }

    [Fact]
    public void Two_threads_may_add_to_the_same_weights()
    {
        using var scope = NewDisposeScope();
        using var model = Create("Toy2D");
        var x = randn(64, 2);
        model.NegativeLogLikelihood(x).backward();
        var one = model.parameters().Select(p => p.grad!.clone()).ToArray();
        model.zero_grad();
        const int Each = 20;
        Parallel.For(0, 2, new ParallelOptions { MaxDegreeOfParallelism = 2 }, _ =>
        {
            for (var i = 0; i < Each; i++)
            {
                using var own = NewDisposeScope();
                model.NegativeLogLikelihood(x).backward();
            }
        });
        foreach (var (parameter, gradient) in model.parameters().Zip(one))
            KernelResults.ApartOfLargest(parameter.grad!, gradient.mul(2 * Each)).Should().BeLessThan(1e-5);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_flow_may_be_gone_before_the_backward_pass(bool take)
    {
        using var _ = KernelSwitch.Set(take, nameof(KernelSwitches.Leaves));
        using var scope = NewDisposeScope();
        var model = Create("Toy2D");
        model.eval();
        Tensor x = randn(30, 2).requires_grad_(), y = x.detach().clone().requires_grad_();
        model.NegativeLogLikelihood(x).backward();
        var loss = model.NegativeLogLikelihood(y);
        model.Dispose();
        // what was freed would be taken again
        for (var i = 0; i < 200; i++) zeros(64, 64).Dispose();
        loss.backward();
        KernelResults.Same(x.grad!, y.grad!).Should().BeTrue();
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_weight_that_is_frozen_before_the_backward_pass_gets_nothing(bool take)
    {
        using var _ = KernelSwitch.Set(take, nameof(KernelSwitches.Leaves));
        using var scope = NewDisposeScope();
        using var model = Create("Toy2D");
        var loss = model.NegativeLogLikelihood(randn(30, 2));
        var weights = model.parameters().ToArray();
        weights[2].requires_grad_(false);
        loss.backward();
        weights[2].grad.Should().BeNull();
        weights[0].grad.Should().NotBeNull();
    }

    [Fact]
    public void A_gradient_that_is_kept_never_changes()
    {
        using var scope = NewDisposeScope();
        using var model = Create("Toy2D");
        using var adam = new AdamOptimizer(model);
        var x = randn(30, 2);
        Tensor[] Step()
        {
            adam.ZeroGradients();
            model.NegativeLogLikelihood(x).backward();
            Tensor[] gradients = [.. model.parameters().Select(p => p.grad).OfType<Tensor>()];
            adam.Step(0.1);
            return gradients;
        }
        var first = Step();
        first.Should().NotBeEmpty();
        var before = first.Select(g => g.clone()).ToArray();
        Step();
        for (var i = 0; i < first.Length; i++) KernelResults.Same(first[i], before[i]).Should().BeTrue();
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Weights_made_in_inference_mode_train_in_no_way(bool take)
    {
        using var _ = KernelSwitch.Set(take, nameof(KernelSwitches.Leaves));
        using var scope = NewDisposeScope();
        FlowModel model;
        using (inference_mode()) model = Create("Toy2D");
        using var __ = model;
        model.parameters().First().requires_grad.Should().BeTrue();
        var train = () => model.NegativeLogLikelihood(randn(30, 2));
        train.Should().Throw<Exception>().WithMessage("*Inference tensors cannot be saved for backward*");
    }

    [Fact]
    public void Weights_are_not_saved_one_by_one() => SavedTensors.CanKeep.Should().BeTrue("the libtorch of this package is known");

    [Fact]
    public void No_gradient_is_copied()
    {
        using var scope = NewDisposeScope();
        using var model = Create("Toy2D");
        model.train();
        var x = randn(64, 2);
        long Copies(bool take)
        {
            using var _ = KernelSwitch.Set(take, nameof(KernelSwitches.Leaves));
            foreach (var parameter in model.parameters()) parameter.grad = null;
            using var loss = model.NegativeLogLikelihood(x);
            using var calls = NativeCalls.Start(byName: true);
            Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
            loss.backward();
            return calls.Names.GetValueOrDefault("aten::copy_");
        }
        model.NegativeLogLikelihood(x).backward();
        var weights = model.parameters().Count(p => p.grad is not null);
        Copies(false).Should().BeGreaterThanOrEqualTo(weights, "autograd copies them");
        Copies(true).Should().BeLessThan(weights / 4);
    }

    // in float32, as kernels want it
    private static FlowModel Create(string name)
    {
        var model = PresetTable.Create(name);
        RandomWeights.Draw(model, seed: 4, spread: 0.1);
        model.to(float32);
        return model;
    }

    private static void Same(string name, Func<Tensor, Tensor[], IReadOnlyList<Tensor>?> ask, double digits = 0)
    {
        using var scope = NewDisposeScope();
        using var model = Create(name);
        var recipe = PresetTable.All[name];
        using var generator = new Generator(8);
        var x = randn(recipe.Shape.WithBatch(20), generator: generator).mul(0.5);
        var context = PresetTable.Context(recipe, 20)?.to(float32);
        Tensor?[] Gradients(bool take)
        {
            using var _ = KernelSwitch.Set(take, nameof(KernelSwitches.Leaves));
            var state = model.state_dict().ToDictionary(s => s.Key, s => s.Value.clone());
            // in training a residual layer measures its norms anew
            model.train(recipe is not ResidualFlowVectorOptions);
            model.zero_grad();
            var weights = model.parameters().Where(p => p.requires_grad).ToArray<Tensor>();
            var asked = ask(model.NegativeLogLikelihood(x, context, seed: 3), weights);
            Tensor?[] all = [.. weights.Select(w => w.grad?.detach().clone()), .. asked ?? []];
            using (no_grad())
                foreach (var (key, value) in model.state_dict()) value.copy_(state[key]);
            return all;
        }
        var (taken, left) = (Gradients(true), Gradients(false));
        taken.Count(t => t is { IsInvalid: false }).Should().BePositive();
        taken.Length.Should().Be(left.Length);
        for (var i = 0; i < left.Length; i++)
        {
            (taken[i] is { IsInvalid: false }).Should().Be(left[i] is { IsInvalid: false }, "of gradient {0}", i);
            if (left[i] is not { IsInvalid: false } expected) continue;
            if (digits == 0) KernelResults.Same(taken[i]!, expected).Should().BeTrue("of gradient {0}", i);
            else KernelResults.ApartOfLargest(taken[i]!, expected).Should().BeLessThan(digits, "of gradient {0}", i);
        }
    }
}
