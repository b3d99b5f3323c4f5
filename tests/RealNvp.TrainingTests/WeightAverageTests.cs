using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public sealed class WeightAverageTests
{
    [Theory]
    [InlineData(true, true, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, false)]
    [InlineData(false, true, true)]
    public void The_average_follows_its_formula(bool allowFused, bool warmUp, bool lists)
    {
        using var scope = NewDisposeScope();
        using var net = Net();
        using var average = new WeightAverage(net, 0.3, warmUp, allowFused) { UsesLists = lists };
        var expected = net.state_dict().ToDictionary(s => s.Key, s => s.Value.detach().to(float64));
        for (var t = 0; t < 8; t++)
        {
            Change(net, t);
            var keep = warmUp ? Math.Min(0.3, (1.0 + t) / (10.0 + t)) : 0.3;
            foreach (var (name, value) in net.state_dict())
                expected[name] = expected[name] * keep + value.detach().to(float64) * (1 - keep);
            average.Update();
        }
        average.Updates.Should().Be(8);
        var state = average.StateDict();
        state.Keys.Should().BeEquivalentTo("average.0.weight", "average.0.bias", "average.1.weight", "average.1.bias",
            "average.1.running_mean", "average.1.running_var", "updates");
        foreach (var name in state.Keys.Where(k => k != "updates"))
            state[name].to(float64).allclose(expected[name["average.".Length..]], 1e-6, 1e-6).Should().BeTrue(name);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_closed_gate_keeps_the_average(bool lists)
    {
        using var scope = NewDisposeScope();
        using var net = Net();
        using var average = new WeightAverage(net, 0.3, false, allowFused: false) { UsesLists = lists };
        using var gate = new StepGate(CPU);
        using var gradients = no_grad();
        void Update(double loss)
        {
            gate.Pass(full([], loss), ones([]), null);
            average.EndUpdate(average.BeginUpdate(), gate);
        }
        Change(net, 1);
        Update(1);
        var before = average.StateDict();
        Change(net, 2);
        Update(double.NaN);
        foreach (var (name, value) in average.StateDict()) if (name != "updates") Same(value, before[name]).Should().BeTrue(name);
    }

    [Fact]
    public void By_lists_the_number_of_operations_does_not_grow_with_the_number_of_tensors()
    {
        using var scope = NewDisposeScope();
        long Calls(int layers)
        {
            using var net =
                nn.Sequential([.. Enumerable.Range(0, layers).Select(i => ($"l{i}", (nn.Module<Tensor, Tensor>)nn.Linear(3, 3)))]);
            using var average = new WeightAverage(net, 0.3, false, allowFused: false) { UsesLists = true };
            average.Update();
            using var calls = RealNvp.Benchmarks.NativeCalls.Start(byName: true);
            Assert.SkipWhen(calls is null, "this system does not tell what libtorch runs");
            average.Update();
            average.UsesLists.Should().BeTrue();
            // on the CPU a list is taken one by one inside of its call: what counts is what is called for the list
            return calls!.Names.Where(n => n.Key.StartsWith("aten::_foreach", StringComparison.Ordinal)
                || n.Key is "aten::where" or "aten::copy_").Sum(n => (long)n.Value);
        }
        Calls(20).Should().Be(Calls(2));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Apply_puts_the_average_in_and_the_raw_values_back_bit_for_bit(bool allowFused)
    {
        using var scope = NewDisposeScope();
        using var net = Net();
        using var average = new WeightAverage(net, 0.5, warmUp: false, allowFused);
        Change(net, 3);
        average.Update();
        var raw = net.state_dict().ToDictionary(s => s.Key, s => s.Value.detach().clone());
        var averaged = average.StateDict();
        using (average.Apply())
        {
            average.IsApplied.Should().BeTrue();
            foreach (var (name, value) in net.state_dict())
                Same(value, averaged.TryGetValue("average." + name, out var mean) ? mean : raw[name]).Should().BeTrue(name);
            Same(net.state_dict()["0.weight"], raw["0.weight"]).Should().BeFalse("else the test proves nothing");
            foreach (var forbidden in new Action[] { average.Update, () => average.Apply(), () => average.StateDict(),
                () => average.LoadStateDict(averaged) })
                forbidden.Should().Throw<InvalidOperationException>().WithMessage("*Dispose the result of Apply()*");
        }
        average.IsApplied.Should().BeFalse();
        foreach (var (name, value) in net.state_dict()) Same(value, raw[name]).Should().BeTrue(name);
        foreach (var (name, value) in average.StateDict()) Same(value, averaged[name]).Should().BeTrue(name);
    }

    [Fact]
    public void A_second_disposal_of_an_old_application_does_nothing()
    {
        using var net = nn.Linear(2, 2);
        using var average = new WeightAverage(net);
        var first = average.Apply();
        first.Dispose();
        using var second = average.Apply();
        first.Dispose();
        average.IsApplied.Should().BeTrue();
    }

    [Fact]
    public void Disposing_an_applied_average_gives_the_raw_values_back()
    {
        using var scope = NewDisposeScope();
        using var net = nn.Linear(2, 2);
        var average = new WeightAverage(net, 0.5);
        using (no_grad()) net.weight!.add_(1);
        var raw = net.weight!.detach().clone();
        average.Apply();
        average.Dispose();
        Same(net.weight!, raw).Should().BeTrue();
        var update = average.Update;
        update.Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void Half_precision_is_averaged_in_float32()
    {
        using var scope = NewDisposeScope();
        using var net = nn.Linear(4, 4).to(ScalarType.BFloat16);
        var linear = (Linear)net;
        using (no_grad()) linear.weight!.fill_(1);
        using var average = new WeightAverage(net, 0.999, warmUp: false);
        using (no_grad()) linear.weight!.fill_(2);
        for (var i = 0; i < 100; i++) average.Update();
        // In bfloat16 itself each step of 0.001 would round away.
        average.StateDict()["average.weight"].mean().ToDouble().Should().BeApproximately(2 - Math.Pow(0.999, 100), 1e-4);
        using (average.Apply()) linear.weight![0, 0].to(float32).ToDouble().Should().BeApproximately(1.095, 0.01);
        linear.weight![0, 0].to(float32).ToDouble().Should().Be(2);
    }

    [Fact]
    public void The_state_goes_into_another_average()
    {
        using var scope = NewDisposeScope();
        using var net = Net();
        using var average = new WeightAverage(net, 0.9);
        Change(net, 1);
        average.Update();
        var state = average.StateDict();
        using var other = new WeightAverage(net, 0.9);
        other.LoadStateDict(state);
        other.Updates.Should().Be(1);
        Change(net, 2);
        average.Update();
        other.Update();
        foreach (var (name, value) in average.StateDict()) Same(value, other.StateDict()[name]).Should().BeTrue(name);

        state["average.0.bias"] = zeros(1);
        var load = () => other.LoadStateDict(state);
        load.Should().Throw<ArgumentException>().WithMessage("*'average.0.bias'*(1,)*(5,) was expected*");
        other.Updates.Should().Be(2);
    }

    [Fact]
    public void A_module_that_was_moved_gives_a_clear_error()
    {
        using var net = nn.Linear(2, 2);
        using var average = new WeightAverage(net);
        net.to(ScalarType.Float64);
        foreach (var use in new Action[] { average.Update, () => average.Apply() })
            use.Should().Throw<InvalidOperationException>().WithMessage("*'weight'*Module.to()*");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_average_leaves_no_tensor(bool allowFused)
    {
        using var net = Net();
        LiveTensors.ChangeOver(() =>
        {
            using var scope = NewDisposeScope();
            var average = new WeightAverage(net, 0.9, true, allowFused);
            average.Update();
            using (average.Apply()) { }
            average.LoadStateDict(average.StateDict());
            average.Apply();
            average.Dispose();
        }).Should().Be(0);
    }

    private static Sequential Net()
    {
        random.manual_seed(5);
        return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5));
    }

    /// <summary>Changes parameters and, through a forward pass in training mode, the running statistics.</summary>
    private static void Change(Sequential net, int seed)
    {
        random.manual_seed(seed);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        foreach (var p in net.parameters()) p.add_(randn_like(p));
        net.train();
        net.call(randn(6, 3));
    }

    private static bool Same(Tensor a, Tensor b) => a.dtype == b.dtype && a.bytes.SequenceEqual(b.bytes);
}
