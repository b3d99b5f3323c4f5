using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A d×d convolution over all channels that wraps around the edges, and its inverse: z = K ∗ x; log|det| = Σ log|det K̂(u, v)| over the
/// H·W frequencies, K̂(u, v) (C, C) being the Fourier transform of the kernel (Emerging convolutions, arXiv 1901.11137, section 3.2).
/// </summary>
/// <remarks>
/// <para>Forward convolves directly, and costs what a convolution costs; Inverse goes through the Fourier transform and divides at each
/// frequency. Transform and log-determinant of the kernel are computed in float64 at each call, once for the batch, in O(H·W·C³).</para>
/// <para>A new layer is the identity: one at the center of the kernel, at index d/2. Nothing keeps training from a singular kernel but its
/// log-determinant, which goes to minus infinity.</para>
/// <para>State-dict keys: <c>weight</c> (C, C, d, d), for outputs, inputs, rows and columns.</para>
/// </remarks>
public sealed partial class PeriodicConv2d : Bijection
{
    // float64 has 16 digits; a convolution that loses more than 13 of them gives back noise
    private const double LargestCondition = 1e13;

    private readonly TorchSharp.Modules.Parameter weight;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">[C, H, W], where H and W may be -1.</param>
    /// <param name="kernelSize">d, from 1 to the smaller of H and W.</param>
    /// <exception cref="ArgumentException">The shape is no image, or its number of channels is open.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kernelSize"/> is not positive, or larger than the image.</exception>
    public PeriodicConv2d(EventShape inputShape, long kernelSize = 3) : base(nameof(PeriodicConv2d), inputShape)
    {
        if (inputShape.Count != 3 || inputShape[0] < 1)
            throw new ArgumentException(
                $"A periodic convolution needs an image [C, H, W] with a known number of channels; got {inputShape}.", nameof(inputShape));
        var d = Check.Positive(kernelSize, nameof(kernelSize), "The size of the kernel");
        if (inputShape.Skip(1).Any(size => size != -1 && size < d))
            throw new ArgumentOutOfRangeException(nameof(kernelSize), kernelSize,
                $"The kernel must not be larger than the image, which is {inputShape[1]}×{inputShape[2]}.");
        var c = inputShape[0];
        KernelSize = d;
        Weights.Pay((Int128)c * c * d * d, 1);
        using var scope = NewDisposeScope();
        var center = zeros(d, d);
        center[d / 2, d / 2] = tensor(1f);
        weight = Weights.Parameter(eye(c).reshape(c, c, 1, 1).mul(center));
        RegisterComponents();
    }

    /// <summary>d, the height and width of the kernel.</summary>
    public long KernelSize { get; }

    /// <inheritdoc/>
    // the inverse takes Fourier transforms in float64
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        CheckSize(x, nameof(x));
        var (height, width) = (x.shape[2], x.shape[3]);
        var logDet = LogDet(Blocks(height, width), height, width).to(x.dtype).repeat(x.shape[0]);
        return (ExactConvolution.Apply(Wrapped(Wrapped(x, 2), 3), weight), logDet);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The kernel is singular at a frequency.</exception>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        CheckSize(z, nameof(z));
        var (n, c, height, width) = (z.shape[0], z.shape[1], z.shape[2], z.shape[3]);
        var blocks = Blocks(height, width);
        var logDet = LogDet(blocks, height, width).neg().to(z.dtype).repeat(n);
        var inverse = Inverse(blocks);
        // there is no Fourier transform of an empty batch
        if (n == 0) return (z, logDet);
        var half = (width / 2) + 1;
        // real above imaginary parts, for each frequency: (H·(W/2 + 1), 2·C, N)
        var image = fft.rfft2(z.to(float64));
        var spectrum = stack([image.real, image.imag]).permute(3, 4, 0, 2, 1).reshape(height * half, 2 * c, n);
        var solved = inverse.bmm(spectrum).reshape(height, half, 2, c, n).permute(2, 4, 3, 0, 1);
        return (fft.irfft2(complex(solved[0], solved[1]), [height, width]).to(z.dtype), logDet);
    }

    private void CheckSize(Tensor input, string parameter)
    {
        if (input.shape[2] < KernelSize || input.shape[3] < KernelSize)
            throw new ArgumentException(
                $"{GetName()} has a kernel of {KernelSize}×{KernelSize}, which must not be larger than the image; got an image of " +
                $"{input.shape[2]}×{input.shape[3]}.", parameter);
    }

    /// <summary>Adds what lies beyond both edges of a dimension, from the other edge.</summary>
    private Tensor Wrapped(Tensor x, int dimension)
    {
        var (before, size) = (KernelSize / 2, x.shape[dimension]);
        return KernelSize == 1 ? x
            : cat([x.narrow(dimension, size - before, before), x, x.narrow(dimension, 0, KernelSize - 1 - before)], dimension);
    }

    /// <summary>
    /// K̂ = A + iB at the frequencies of half of the plane, (H·(W/2 + 1), 2·C,
    /// 2·C), as real matrices [[A, −B], [B, A]]; the other half is conjugate.
    /// </summary>
    private Tensor Blocks(long height, long width)
    {
        var (c, d) = (weight.shape[0], KernelSize);
        var angles = Angles(height, height).reshape(height, 1, d, 1).add(Angles(width, (width / 2) + 1).reshape(1, -1, 1, d),
            Scalars.One).reshape(-1, d * d);
        var kernel = weight.to(float64).reshape(c * c, d * d).t();
        var (a, b) = (angles.cos().mm(kernel).reshape(-1, c, c), angles.sin().mm(kernel).reshape(-1, c, c));
        return cat([cat([a, b.neg()], 2), cat([b, a], 2)], 1);
    }

    /// <summary>2π·u·(i − d/2)/size for the first frequencies u and all places i of the kernel: (count, d).</summary>
    private Tensor Angles(long size, long count)
    {
        var places = Scalars.Range(KernelSize, weight.device).sub(Scalars.Of(KernelSize / 2));
        // whole numbers wrap around without rounding
        var turns = Scalars.Range(count, weight.device).unsqueeze(1).mul(places).remainder(Scalars.Of(size));
        return turns.to(float64).mul(Scalars.Of(2 * Math.PI / size));
    }

    /// <summary>Σ log|det K̂|: half of that of the real matrices, and twice that for each column that has a conjugate one.</summary>
    private static Tensor LogDet(Tensor blocks, long height, long width)
    {
        var (_, logDets) = linalg.slogdet(blocks);
        var columns = logDets.reshape(height, -1).sum([0L]);
        var alone = width % 2 == 0 && width > 1 ? columns[0].add(columns[-1], Scalars.One) : columns[0];
        return columns.sum().sub(alone.mul(Scalars.Half));
    }

    private Tensor Inverse(Tensor blocks)
    {
        Tensor inverse;
        try
        {
            inverse = linalg.inv(blocks);
        }
        catch (ExternalException error)
        {
            throw new NoInverseException(Singular(), error);
        }
        using (no_grad())
        {
            // of all frequencies together: a single one of one channel is but a number
            var condition = blocks.pow(Scalars.Two).sum([1L, 2L]).max().mul(inverse.pow(Scalars.Two).sum([1L, 2L]).max()).sqrt()
                .Fetch<double>();
            // NaN is no small number
            if (!(condition <= LargestCondition))
                throw new NoInverseException(FormattableString.Invariant($"{Singular()} The largest condition number is {condition:G3}."));
        }
        return inverse;
    }

    private string Singular() =>
        $"The kernel of {GetName()} has no inverse: at a frequency its matrix is singular, or the weights are not finite. Train with a " +
            $"smaller learning rate.";
}
