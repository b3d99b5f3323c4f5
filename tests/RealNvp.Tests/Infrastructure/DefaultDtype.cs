using static TorchSharp.torch;

namespace RealNvp.Tests.Infrastructure;

internal static class DefaultDtype
{
    /// <summary>Runs an action with another default dtype, the one in which modules make their weights.</summary>
    public static void Run(ScalarType dtype, Action action)
    {
        var usual = get_default_dtype();
        set_default_dtype(dtype);
        try { action(); }
        finally { set_default_dtype(usual); }
    }
}
