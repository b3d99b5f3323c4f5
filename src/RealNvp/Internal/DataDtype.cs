using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The dtype in which the caller wants data back from an inverse pass on this thread; null for that of the weights.</summary>
internal static class DataDtype
{
    [ThreadStatic] private static ScalarType? current;

    public static ScalarType? Current => current;

    public static Scope Use(ScalarType? dtype)
    {
        var scope = new Scope(current);
        current = dtype;
        return scope;
    }

    internal readonly struct Scope(ScalarType? previous) : IDisposable
    {
        public void Dispose() => current = previous;
    }
}
