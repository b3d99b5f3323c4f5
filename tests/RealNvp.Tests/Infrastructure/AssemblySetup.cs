using RealNvp.Tests.Infrastructure;
using Xunit.Sdk;
using Xunit.v3;

// TorchSharp's finalizer thread can free a Scalar or a tensor while another thread's native call reads it, and many
// kernels on few cores only wait for each other: one test at a time is both safe and fast.
[assembly: Parallelization(Mode = ParallelMode.None)]
[assembly: AssemblyFixture(typeof(TorchSettings))]
[assembly: SeedsRandomNumbers]

namespace RealNvp.Tests.Infrastructure;

/// <summary>Settings of the test process, made before its first test: one thread, so that sums are the same on every machine.</summary>
/// <remarks>A fixture and not a module initializer: where libtorch does not load, each test then says why.</remarks>
public sealed class TorchSettings
{
    public TorchSettings()
    {
        TorchBackend.EnsureAvailable();
        TorchSharp.torch.set_num_threads(1);
    }
}
