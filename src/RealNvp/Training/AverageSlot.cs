using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>One tensor of a module and its average; it owns the average. The caller of Apply and Restore has grad mode off.</summary>
internal sealed unsafe class AverageSlot : IDisposable
{
    private readonly ScalarType type;
    private readonly int length;
    private readonly void* average;
    private bool updated;
    private Tensor? raw;

    public AverageSlot(string name, Tensor value, bool allowFused)
    {
        (Name, Value) = (name, value);
        type = value.dtype;
        var half = type is ScalarType.Float16 or ScalarType.BFloat16;
        Fused = allowFused && !half && TensorMemory.IsPlain(value);
        using var plain = value.detach();
        Average = plain.to(half ? ScalarType.Float32 : type, copy: true).DetachFromDisposeScope();
        if (!Fused) return;
        length = (int)value.numel();
        KernelMemory.TryGet(Average.Handle, type, length, out average);
    }

    public string Name { get; }
    public Tensor Value { get; }
    public Tensor Average { get; }

    /// <summary>True if the average is updated in one pass over memory.</summary>
    public bool Fused { get; }

    public void CheckAlive()
    {
        if (Value.IsInvalid)
            throw new InvalidOperationException(
                $"'{Name}' was disposed after this average was made. Module.to() and cuda() replace every parameter by a new one: "
                + "move the module first, then make the average (and load its state).");
    }

    /// <summary>The memory of the average for a pass that updates it instead of the next <see cref="Update"/>.</summary>
    public void* TakeUpdate()
    {
        updated = true;
        return average;
    }

    /// <summary>average += share (value - average), unless another pass has done it, or a gate is closed.</summary>
    public void Update(double share, StepGate? gate = null)
    {
        if (updated) updated = false;
        else if (!Fused) UpdateTensors(share, gate);
        else if (!KernelMemory.TryGet(Value.Handle, type, length, out var values))
            throw new InvalidOperationException($"'{Name}' has other memory than when this average was made. Make the average again.");
        else if (type == ScalarType.Float32) AdamKernel.Average((float*)average, (float*)values, length, share);
        else AdamKernel.Average((double*)average, (double*)values, length, share);
    }

    /// <summary>Puts the average into the module. Fused: the two swap places, so no third copy is needed.</summary>
    public void Apply()
    {
        if (Fused) Swap(Value.bytes, Average.bytes);
        else
        {
            using var plain = Value.detach();
            raw = plain.clone().DetachFromDisposeScope();
            Value.copy_(Average);
        }
    }

    /// <summary>Undoes <see cref="Apply"/>.</summary>
    public void Restore()
    {
        if (Fused) Swap(Value.bytes, Average.bytes);
        else if (raw is not null)
        {
            Value.copy_(raw);
            raw.Dispose();
            raw = null;
        }
    }

    public void Dispose()
    {
        Average.Dispose();
        raw?.Dispose();
    }

    private void UpdateTensors(double weight, StepGate? gate)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using Scalar share = Scalars.New(weight);
        var difference = Value.to(Average.dtype).add(Average, Scalars.MinusOne);
        Average.add_(gate?.Select(difference) ?? difference, share);
    }

    private static void Swap(Span<byte> left, Span<byte> right)
    {
        if (left.Length != right.Length)
            throw new InvalidOperationException($"The value has {left.Length} bytes, the average {right.Length}.");
        Span<byte> buffer = stackalloc byte[4096];
        while (left.Length > 0)
        {
            var count = Math.Min(left.Length, buffer.Length);
            left[..count].CopyTo(buffer);
            right[..count].CopyTo(left);
            buffer[..count].CopyTo(right);
            left = left[count..];
            right = right[count..];
        }
    }
}
