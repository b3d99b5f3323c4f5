using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Sizes of tensors without <see cref="Tensor.shape"/>, for what runs many times in one call.</summary>
/// <remarks>Each <c>shape</c> leaves 32 bytes on the native heap until a collection. In a loop that frees and makes large tensors
/// such crumbs lie where the next large one would have fitted, and the process grows with the number of turns.</remarks>
internal static class Sizes
{
    /// <summary>Whether two tensors have the same shape.</summary>
    public static bool Same(Tensor a, Tensor b)
    {
        var dimensions = a.dim();
        if (dimensions != b.dim()) return false;
        for (var i = 0; i < dimensions; i++)
            if (a.size(i) != b.size(i)) return false;
        return true;
    }
}
