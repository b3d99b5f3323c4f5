using System.Runtime.CompilerServices;
using TorchSharp;

namespace RealNvp.Tests.Infrastructure;

/// <summary>A test that needs an NVIDIA GPU, and is skipped where there is none.</summary>
public sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber)
    {
        Skip = Cuda.Missing;
        SkipType = typeof(Cuda);
        SkipUnless = nameof(Cuda.IsAvailable);
    }
}

/// <summary>A test with data that needs an NVIDIA GPU, and is skipped where there is none.</summary>
public sealed class CudaTheoryAttribute : TheoryAttribute
{
    public CudaTheoryAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber)
    {
        Skip = Cuda.Missing;
        SkipType = typeof(Cuda);
        SkipUnless = nameof(Cuda.IsAvailable);
    }
}

/// <summary>Whether this process can use an NVIDIA GPU.</summary>
public static class Cuda
{
    public const string Missing = "needs an NVIDIA GPU and -p:TorchBackend=cuda-linux or cuda-windows";

    public static bool IsAvailable => torch.cuda.is_available();
}
