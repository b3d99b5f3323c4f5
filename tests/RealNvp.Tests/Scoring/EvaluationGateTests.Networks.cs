using System.Collections.Concurrent;
using RealNvp.Operations;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <content>Networks of a user that take their time, or fail.</content>
public partial class EvaluationGateTests
{
    // waits in its first call of each round, and notes its modes
    private sealed class Slow() : nn.Module<Tensor, Tensor>(nameof(Slow))
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Go { get; } = new(true);

        public ConcurrentQueue<bool> Modes { get; } = new();

        public override Tensor forward(Tensor input)
        {
            // the layer tries its network when it is made
            if (input.shape[0] != 3) return zeros(input.shape[0], 2);
            if (Modes.IsEmpty) Go.Reset();
            Modes.Enqueue(training);
            Entered.Set();
            Go.Wait();
            return zeros(input.shape[0], 2);
        }
    }

    private sealed class Failing() : nn.Module<Tensor, Tensor>(nameof(Failing))
    {
        public Action? Inside { get; set; }

        public override Tensor forward(Tensor input)
        {
            Inside?.Invoke();
            return zeros(input.shape[0], 2, dtype: input.dtype);
        }
    }
}
