using System.Runtime.CompilerServices;
using TorchSharp;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace RealNvp.Tests.Infrastructure;

internal static class Setup
{
    [ModuleInitializer]
    internal static void Initialize() => torch.set_num_threads(1);
}
