using Xunit.Sdk;
using Xunit.v3;

// TorchSharp frees tensors on the finalizer thread, and parallel tests would meet it
[assembly: Parallelization(Mode = ParallelMode.None)]
[assembly: AssemblyFixture(typeof(RealNvp.PublicTests.OneThread))]

namespace RealNvp.PublicTests;

/// <summary>One thread, so that sums are the same on every machine.</summary>
public sealed class OneThread
{
    public OneThread()
    {
        TorchBackend.EnsureAvailable();
        TorchSharp.torch.set_num_threads(1);
    }
}
