using System.Runtime.InteropServices;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

#pragma warning disable RS0030 // this is the one place that draws

/// <summary>Draws random numbers for layers and densities, the same ones on every device.</summary>
/// <remarks>
/// <para>In TorchSharp 0.107 every <see cref="Generator"/> is one of the CPU, whatever device it was made for, and a CUDA kernel
/// refuses it. With a generator, these methods draw on the CPU and copy to the device from pinned memory, without waiting: a seed
/// gives the same numbers on every device. Without one they draw on the device, from torch's own generator there.</para>
/// <para>Unlike <c>torch.rand</c>, they throw an ordinary exception if memory does not suffice.</para>
/// </remarks>
public static class Noise
{
    // a Mersenne twister with its cached normal number: what tells a generator of the CPU
    private const long CpuStateBytes = 5056;

    /// <summary>Draws independent numbers that are uniform in [low, high). The caller disposes them; without gradients.</summary>
    /// <param name="size">The shape of the result.</param>
    /// <param name="dtype">float16, bfloat16, float32 or float64.</param>
    /// <param name="device">The device of the result.</param>
    /// <param name="generator">The source, such as <see cref="Pass.Generator"/>; null is torch's own for the device.</param>
    /// <param name="low">The lower end.</param>
    /// <param name="high">The upper end; rounding may reach it where low is not 0.</param>
    /// <exception cref="ArgumentException">The generator is not one of the CPU.</exception>
    public static Tensor Uniform(ReadOnlySpan<long> size, ScalarType dtype, Device device, Generator? generator, double low = 0,
        double high = 1)
    {
        using var gradients = no_grad();
        if (RowShare.Current is { } share) return share.Draw(size, all => Uniform(all, dtype, device, generator, low, high));
        try { return Placed(empty(size, dtype: dtype, device: Source(device, generator)).uniform_(low, high, generator), device); }
        catch (ExternalException e) { throw Failed(size, dtype, device, e); }
    }

    /// <summary>So few uniform numbers of float64 on the CPU that memory suffices: those of <see cref="Uniform"/>, as one
    /// operation.</summary>
    /// <returns>Where they are, until this thread asks again.</returns>
    internal static unsafe double* Few(long count, Generator? generator) => DrawnNumbers.Uniform(count, generator);

    /// <summary>Draws independent standard normal numbers. The caller disposes them; without gradients.</summary>
    /// <param name="size">The shape of the result.</param>
    /// <param name="dtype">float16, bfloat16, float32 or float64.</param>
    /// <param name="device">The device of the result.</param>
    /// <param name="generator">The source, such as <see cref="Pass.Generator"/>; null is torch's own for the device.</param>
    /// <exception cref="ArgumentException">The generator is not one of the CPU.</exception>
    public static Tensor Normal(ReadOnlySpan<long> size, ScalarType dtype, Device device, Generator? generator) =>
        Normal(size, dtype, device, generator, 1);

    /// <summary>Normal numbers with mean 0 and a standard deviation.</summary>
    internal static Tensor Normal(ReadOnlySpan<long> size, ScalarType dtype, Device device, Generator? generator, double spread)
    {
        using var gradients = no_grad();
        if (RowShare.Current is { } share) return share.Draw(size, all => Normal(all, dtype, device, generator, spread));
        try
        {
            // unlike rand, randn throws if it fails
            var drawn = spread == 1
                ? randn(size, dtype: dtype, device: Source(device, generator), generator: generator)
                : empty(size, dtype: dtype, device: Source(device, generator)).normal_(0, spread, generator);
            return Placed(drawn, device);
        }
        catch (ExternalException e) { throw Failed(size, dtype, device, e); }
    }

    /// <summary>The numbers 0 to count − 1 in random order: int64, on the CPU. The caller disposes them.</summary>
    internal static Tensor Permutation(long count, Generator generator)
    {
        // randperm gives a bad handle when it fails, so what it needs is asked for before
        empty(count, ScalarType.Int64, CPU).Dispose();
        return randperm(count, generator: generator, dtype: ScalarType.Int64, device: CPU);
    }

    private static Exception Failed(ReadOnlySpan<long> size, ScalarType dtype, Device device, ExternalException e)
    {
        Check.Available(device, nameof(device));
        if (dtype is not (ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
            return new ArgumentException($"Random numbers have a floating-point dtype; got {dtype}.", nameof(dtype), e);
        foreach (var n in size)
            if (n < 0) return new ArgumentException($"A size is at least 0; got {EventShape.Format(size)}.", nameof(size), e);
        return new InsufficientMemoryException(
            $"There is not enough memory on {device} for random numbers of shape {EventShape.Format(size)} and dtype {dtype}. Draw " +
            $"fewer at once. ({e.Message.Split('\n')[0]})", e);
    }

    /// <summary>Where to draw, after a check that the generator serves there.</summary>
    private static Device Source(Device device, Generator? generator)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (generator is null) return device;
        if (generator.device.type == DeviceType.CPU) return CPU;
        using var state = generator.get_state();
        // one that claims to be of another device is of the CPU all the same, until TorchSharp changes that
        return state.numel() == CpuStateBytes
            ? CPU
            : throw new ArgumentException(
                $"Numbers are drawn on the CPU and copied to {device}, so that a seed gives the same ones on every device; got a " +
                $"generator of {generator.device}. Make it with new torch.Generator(seed).", nameof(generator));
    }

    private static Tensor Placed(Tensor drawn, Device device)
    {
        if (drawn.device_type == device.type && (device.type == DeviceType.CPU || device.index < 0 || drawn.device_index == device.index))
            return drawn;
        using (drawn)
        {
            if (device.type != DeviceType.CUDA) return drawn.to(device);
            // the allocator of pinned memory keeps it until the copy is done
            using var pinned = drawn.pin_memory();
            return pinned.to(device, non_blocking: true);
        }
    }
}
