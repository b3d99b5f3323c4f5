using System.Text;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Which variables a coupling keeps (true, the paper's b = 1) and which it transforms (false), for the shape of one example.
/// </summary>
/// <remarks>
/// A mask broadcasts to an example as torch does: dimensions are aligned at the right, and a size of 1 serves for any size. A
/// checkerboard (H, W) thus serves every channel, and a channel-wise mask (C, 1, 1) every pixel. Masks are immutable.
/// </remarks>
public sealed class Mask : IEquatable<Mask>
{
    private readonly bool[] kept;
    private Mask? complement;

    /// <summary>Makes an arbitrary mask.</summary>
    /// <param name="shape">The shape of the mask, for example [H, W], [C, 1, 1], [C, H, W] or [D].</param>
    /// <param name="kept">One value an element in row-major order; true if the variable is kept.</param>
    /// <exception cref="ArgumentException">The number of values is not the number of elements.</exception>
    public Mask(EventShape shape, ReadOnlySpan<bool> kept)
    {
        if (shape.Count == 0) throw new ArgumentException("A mask needs at least one dimension.", nameof(shape));
        if (shape.NumElements != kept.Length)
            throw new ArgumentException($"A mask of shape {shape} needs {shape.NumElements} values; got {kept.Length}.", nameof(kept));
        Shape = shape;
        this.kept = kept.ToArray();
        Batched = BatchedOf(this);
    }

    private Mask(Mask complement)
    {
        Shape = complement.Shape;
        kept = Array.ConvertAll(complement.kept, k => !k);
        this.complement = complement;
        Batched = BatchedOf(this);
    }

    /// <summary>The shape of the mask.</summary>
    public EventShape Shape { get; }

    /// <summary>The values in row-major order: true if the variable is kept.</summary>
    public ReadOnlySpan<bool> Kept => kept;

    /// <summary>The mask with kept and transformed variables exchanged.</summary>
    public Mask Complement => complement ??= new Mask(this);

    /// <summary>The mask with a batch dimension of 1 before its own: 1 where
    /// kept, 0 if transformed. All layers with this mask share it.</summary>
    internal SharedConstant Batched { get; }

    /// <summary>The spatial checkerboard (H, W): kept where row + column is odd (Real NVP, section 3.4).</summary>
    public static Mask Checkerboard(long height, long width) => Make([height, width], (i, w) => (i / w + i % w) % 2 == 1);

    /// <summary>The channel-wise mask (C, 1, 1): the first half of the channels is kept, rounded down (Real NVP, section 3.4).</summary>
    /// <param name="channels">C, at least 2.</param>
    public static Mask ChannelWise(long channels) => Make([AtLeastTwo(channels, nameof(channels)), 1, 1], (i, _) => i < channels / 2);

    /// <summary>Every second feature of a vector (D): features 1, 3, 5, ... are kept.</summary>
    /// <param name="features">D, at least 2.</param>
    public static Mask Alternating(long features) => Make([AtLeastTwo(features, nameof(features))], (i, _) => i % 2 == 1);

    /// <summary>The first half of a vector (D) is kept, rounded down (NICE, section 3.2).</summary>
    /// <param name="features">D, at least 2.</param>
    public static Mask FirstHalf(long features) => Make([AtLeastTwo(features, nameof(features))], (i, _) => i < features / 2);

    /// <summary>A mask from a tensor of any numeric dtype: kept where it is not 0. The tensor is not disposed.</summary>
    public static Mask FromTensor(Tensor tensor)
    {
        Check.Tensor(tensor, nameof(tensor));
        Check.NotMeta(tensor, nameof(tensor));
        using var flags = tensor.to(ScalarType.Bool).FetchTensor().contiguous();
        return new Mask(tensor.shape, flags.data<bool>().ToArray());
    }

    /// <summary>The mask as a tensor of its own shape: 1 if kept, 0 if transformed. The caller disposes it.</summary>
    public Tensor ToTensor(ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        if (!Enum.IsDefined(dtype)) throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "There is no such dtype.");
        Internal.Check.Available(device, nameof(device));
        using var flags = tensor(kept, Shape.ToArray(), device: CPU);
        return flags.to(dtype, device ?? CPU);
    }

    /// <summary>The mask with kept and transformed variables exchanged.</summary>
    public static Mask operator !(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return mask.Complement;
    }

    /// <summary>Throws if the mask does not broadcast to an example.</summary>
    internal void CheckFits(EventShape shape)
    {
        var fits = Shape.Count <= shape.Count;
        for (var d = 1; fits && d <= Shape.Count; d++) fits = Shape[^d] == 1 || Shape[^d] == shape[^d];
        if (!fits)
            throw new ArgumentException(
                $"A mask of shape {Shape} does not fit examples of shape {shape}: sizes, aligned at the right, must be equal or 1.");
    }

    /// <summary>The mask spread over every element of an example.</summary>
    internal bool[] BroadcastTo(EventShape shape)
    {
        CheckFits(shape);
        // repeats from the last dimension to the first; each pass leaves all that is to its right at its full size
        var (values, inner) = (kept, 1);
        for (var d = 1; d <= shape.Count; d++)
        {
            var size = d <= Shape.Count ? (int)Shape[^d] : 1;
            if (size != shape[^d]) values = Repeat(values, inner, checked((int)shape[^d]));
            inner *= (int)shape[^d];
        }
        return values;
    }

    /// <inheritdoc/>
    public bool Equals(Mask? other) => other is not null && Shape == other.Shape && kept.AsSpan().SequenceEqual(other.kept);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Mask);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Shape, kept.Count(k => k), kept.Length);

    /// <summary>Prints the mask: 1 is kept, 0 is transformed, one row a line, an empty line between channels.</summary>
    public override string ToString()
    {
        var sizes = Shape.Where(s => s > 1).DefaultIfEmpty(1).ToArray();
        long width = sizes[^1], height = sizes.Length > 1 ? sizes[^2] : 1;
        var text = new StringBuilder();
        for (var i = 0; i < kept.Length; i++)
        {
            if (i > 0) text.Append(i % (width * height) == 0 ? "\n\n" : i % width == 0 ? "\n" : " ");
            text.Append(kept[i] ? '1' : '0');
        }
        return text.ToString();
    }

    private static SharedConstant BatchedOf(Mask mask) => new(mask.kept.Length, () =>
    {
        using var values = mask.ToTensor();
        return values.unsqueeze(0);
    });

    // each block of `length` values, `times` times
    private static bool[] Repeat(bool[] values, int length, int times)
    {
        var result = new bool[checked(values.Length * times)];
        for (var block = 0; block < values.Length / length; block++)
            for (var i = 0; i < times; i++) values.AsSpan(block * length, length).CopyTo(result.AsSpan(((block * times) + i) * length));
        return result;
    }

    private static long AtLeastTwo(long size, string parameter) =>
        size >= 2 ? Check.NotNegative(size, parameter, "The number of variables") : throw new ArgumentOutOfRangeException(parameter, size,
            "A coupling needs at least 2 variables: one to keep and one to transform.");

    private static Mask Make(EventShape shape, Func<long, long, bool> keep)
    {
        var values = new bool[shape.NumElements];
        for (var i = 0; i < values.Length; i++) values[i] = keep(i, shape[^1]);
        return new Mask(shape, values);
    }
}
