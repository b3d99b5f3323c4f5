using RealNvp.Operations;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>The nodes of a GPU run backward on a thread of autograd's own. Here a second thread calls backward in its place.</summary>
public sealed class DeviceThreadTests
{
    [Fact]
    public void A_fault_on_another_thread_is_thrown_where_the_graph_was_made_and_nowhere_else_later()
    {
        using var scope = NewDisposeScope();
        using var flow = Flow();
        using var device = new OtherThread();
        var loss = flow.NegativeLogLikelihood(randn(3, 4));
        // reversible training refuses a backward after the mode has changed
        flow.eval();
        device.Run(loss.backward);
        var here = KernelFault.Throw;
        here.Should().Throw<InvalidOperationException>().WithMessage("*call backward() before eval()*");
        here.Should().NotThrow("once is enough");
        // the next graph of both threads starts clean
        device.Run(KernelFault.Throw);
        flow.train();
        flow.zero_grad();
        flow.NegativeLogLikelihood(randn(3, 4)).backward();
        flow.parameters().Should().OnlyContain(p => p.grad!.isfinite().all().item<bool>());
    }

    [Fact]
    public void A_fault_that_nobody_threw_does_not_hide_a_later_one()
    {
        var graph = new KernelFault();
        KernelFault.Keep(new InvalidOperationException("first"), graph);
        KernelFault.Keep(new InvalidOperationException("second"), graph);
        var here = KernelFault.Throw;
        here.Should().Throw<InvalidOperationException>().WithMessage("first");
        KernelFault.Keep(new InvalidOperationException("third"), graph);
        here.Should().Throw<InvalidOperationException>().WithMessage("third");
        here.Should().NotThrow();
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Two_hundred_steps_whose_backward_runs_on_another_thread_leave_no_tensor_to_the_finalizer(bool reversible)
    {
        using var scope = NewDisposeScope();
        using var flow = Flow();
        flow.ReversibleTraining = reversible;
        using var device = new OtherThread();
        var x = randn(16, 4);
        void Step()
        {
            using var step = NewDisposeScope();
            flow.zero_grad();
            var loss = flow.NegativeLogLikelihood(x);
            device.Run(loss.backward);
            KernelFault.Throw();
        }
        for (var i = 0; i < 3; i++) Step();
        var before = device.LiveTensors();
        for (var i = 0; i < 200; i++) Step();
        (device.LiveTensors() - before).Should().Be(0);
    }

    private static Flow Flow()
    {
        var flow = new Flow([4], new Chain(new ActNorm([4]), new InvertibleLinearLayer([4]), new DiagonalScaling([4]),
            new AffineCouplingLayer([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1)),
            new CouplingLayer([4], !Mask.FirstHalf(4), new SplineTransformer(4),
                new Mlp(2, 2 * new SplineTransformer(4).ParametersPerElement, 8))))
        { ReversibleTraining = true };
        RandomWeights.Draw(flow, 1, 0.1);
        return flow;
    }

    /// <summary>A thread without a dispose scope, as autograd's is.</summary>
    private sealed class OtherThread : IDisposable
    {
        private readonly System.Collections.Concurrent.BlockingCollection<Action> work = [];
        private readonly Thread thread;

        public OtherThread()
        {
            thread = new Thread(() => { foreach (var action in work.GetConsumingEnumerable()) action(); });
            thread.Start();
        }

        public void Run(Action action)
        {
            Exception? error = null;
            using var done = new ManualResetEventSlim();
            work.Add(() =>
            {
                try { action(); }
                catch (Exception e) { error = e; }
                done.Set();
            });
            done.Wait();
            if (error is not null) throw error;
        }

        public long LiveTensors()
        {
            long count = 0;
            Run(() => count = DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            return count;
        }

        public void Dispose()
        {
            work.CompleteAdding();
            thread.Join();
            work.Dispose();
        }
    }
}
