using System.Collections.Concurrent;
using TorchSharp;

namespace RealNvp.Internal;

/// <summary>
/// Constants as rooted <see cref="Scalar"/>s. An implicit Scalar can be finalized while native code still reads it, and each
/// one grows the native heap until a collection; a static one does neither.
/// </summary>
internal static class Scalars
{
    public static readonly Scalar Zero = 0.0;
    public static readonly Scalar One = 1.0;
    public static readonly Scalar Two = 2.0;
    public static readonly Scalar IntegerOne = 1L;
    public static readonly Scalar Half = 0.5;
    public static readonly Scalar MinusHalf = -0.5;
    public static readonly Scalar MinusOne = -1.0;

    private static readonly ConcurrentDictionary<double, Scalar> cache = new();

    /// <summary>A rooted Scalar for a number that a shape or an option gives; there are only a few different ones.</summary>
    public static Scalar Of(double value) => cache.GetOrAdd(value, static v => v);
}
