using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

#pragma warning disable RS0030 // this is the one place that makes Scalars

/// <summary>
/// Constants as rooted <see cref="Scalar"/>s. An implicit Scalar can be finalized while native code still reads it, and each
/// one grows the native heap until a collection; a static one does neither. So implicit ones are banned here
/// (eng/BannedSymbols.txt), and the methods of TorchSharp that make one inside, such as <c>a.add(b)</c>.
/// </summary>
internal static class Scalars
{
    public static readonly Scalar Zero = 0.0;
    public static readonly Scalar One = 1.0;
    public static readonly Scalar Two = 2.0;
    public static readonly Scalar IntegerOne = 1L;
    public static readonly Scalar IntegerZero = 0L;
    public static readonly Scalar Half = 0.5;
    public static readonly Scalar MinusHalf = -0.5;
    public static readonly Scalar MinusOne = -1.0;

    /// <summary>A rooted Scalar for a number that a shape or an option gives; there are only a few different ones.</summary>
    public static Scalar Of(double value)
    {
        // a field of a layer is often made by this, before the constructor of the layer's base asks for libtorch
        TorchBackend.EnsureAvailable();
        return Made.Numbers.GetOrAdd(value, static v => v);
    }

    /// <summary>As <see cref="Of"/>, an integer: with a tensor of integers the result is one of integers.</summary>
    public static Scalar Integer(long value)
    {
        TorchBackend.EnsureAvailable();
        return Made.Integers.GetOrAdd(value, static v => v);
    }

    /// <summary>A Scalar for a number that changes from step to step. The caller disposes it, after the operation that reads it.</summary>
    public static Scalar New(double value) => value;

    /// <summary>The integers from <paramref name="start"/> on, (count), int64 unless
    /// <paramref name="dtype"/> says otherwise. The caller disposes it.</summary>
    public static Tensor Range(long count, Device device, long start = 0, ScalarType dtype = ScalarType.Int64)
    {
        using Scalar first = start, end = start + count;
        return arange(first, end, IntegerOne, dtype, device);
    }

    // apart from the constants above, which need libtorch as soon as one of them is asked for
    private static class Made
    {
        public static readonly ConcurrentDictionary<double, Scalar> Numbers = new();
        public static readonly ConcurrentDictionary<long, Scalar> Integers = new();
    }
}
