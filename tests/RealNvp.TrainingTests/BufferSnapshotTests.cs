using RealNvp.Benchmarks;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public class BufferSnapshotTests
{
    [Theory, InlineData(false), InlineData(true)]
    public void What_a_failed_step_has_spoiled_comes_back(bool lists)
    {
        using var scope = NewDisposeScope();
        using var net = Net(3);
        using var snapshot = new BufferSnapshot(net) { UsesLists = lists };
        snapshot.Save();
        var before = net.named_buffers().ToDictionary(b => b.name, b => b.buffer.clone());
        Spoil(net);
        snapshot.Restore();
        foreach (var (name, buffer) in net.named_buffers()) Same(buffer, before[name]).Should().BeTrue(name);
        snapshot.UsesLists.Should().Be(lists, "this build of libtorch has the functions on lists");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_closed_gate_brings_them_back_and_an_open_one_leaves_them(bool lists)
    {
        using var scope = NewDisposeScope();
        using var net = Net(3);
        using var snapshot = new BufferSnapshot(net) { UsesLists = lists };
        using var gate = new StepGate(CPU);
        snapshot.Save();
        var before = net.named_buffers().ToDictionary(b => b.name, b => b.buffer.clone());
        Pass(1);
        Spoil(net);
        snapshot.RestoreUnlessOpen(gate);
        net.named_buffers().First(b => b.name.EndsWith("running_mean", StringComparison.Ordinal)).buffer.isnan().all().item<bool>().Should()
            .BeTrue("the gate is open");
        Pass(double.NaN);
        snapshot.RestoreUnlessOpen(gate);
        foreach (var (name, buffer) in net.named_buffers()) Same(buffer, before[name]).Should().BeTrue(name);
        snapshot.UsesLists.Should().Be(lists);

        void Pass(double loss)
        {
            using var _ = no_grad();
            gate.Pass(full([], loss), ones([]), null);
        }
    }

    [Fact]
    public void By_lists_the_number_of_operations_does_not_grow_with_the_number_of_buffers()
    {
        using var scope = NewDisposeScope();
        long Calls(int layers)
        {
            using var net = Net(layers);
            using var snapshot = new BufferSnapshot(net) { UsesLists = true };
            using var gate = new StepGate(CPU);
            snapshot.Save();
            using var calls = NativeCalls.Start(byName: true);
            Assert.SkipWhen(calls is null, "this system does not tell what libtorch runs");
            snapshot.Save();
            snapshot.RestoreUnlessOpen(gate);
            // on the CPU a list is taken one by one inside of its call: what counts is what is called for the list. Views launch nothing
            return calls!.Names.Where(n => n.Key.StartsWith("aten::_foreach", StringComparison.Ordinal)
                || n.Key is "aten::where" or "aten::cat").Sum(n => (long)n.Value);
        }
        Calls(20).Should().Be(Calls(2)).And.BeGreaterThan(0);
    }

    private static TorchSharp.Modules.Sequential Net(int layers) =>
        nn.Sequential([.. Enumerable.Range(0, layers).Select(i => ($"n{i}", (nn.Module<Tensor, Tensor>)nn.BatchNorm1d(3 + i)))]);

    private static void Spoil(nn.Module net)
    {
        using var _ = no_grad();
        foreach (var (_, buffer) in net.named_buffers())
            if (buffer.is_floating_point()) buffer.fill_(float.NaN);
            else buffer.add_(5);
    }

    private static bool Same(Tensor a, Tensor b) => a.eq(b).all().item<bool>();
}
