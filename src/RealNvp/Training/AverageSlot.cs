using System.Numerics;
using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>One tensor of a module and its average; it owns the average. The caller has grad mode off.</summary>
internal sealed class AverageSlot : IDisposable
{
    private readonly bool fused;
    private Tensor? raw;

    public AverageSlot(string name, Tensor value, bool allowFused)
    {
        (Name, Value) = (name, value);
        var half = value.dtype is ScalarType.Float16 or ScalarType.BFloat16;
        fused = allowFused && !half && TensorMemory.IsPlain(value);
        using var plain = value.detach();
        Average = plain.to(half ? ScalarType.Float32 : value.dtype, copy: true).DetachFromDisposeScope();
    }

    public string Name { get; }
    public Tensor Value { get; }
    public Tensor Average { get; }

    public void CheckAlive()
    {
        if (Value.IsInvalid)
            throw new InvalidOperationException(
                $"'{Name}' was disposed after this average was made. Module.to() and cuda() replace every parameter by a new one: "
                + "move the module first, then make the average (and load its state).");
    }

    /// <summary>average += weight (value - average)</summary>
    public void Update(double weight)
    {
        if (fused)
        {
            if (Value.dtype == ScalarType.Float32) Move<float>(Average.bytes, Value.bytes, weight);
            else Move<double>(Average.bytes, Value.bytes, weight);
            return;
        }
        using var scope = NewDisposeScope();
        using Scalar share = weight;
        Average.add_(Value.to(Average.dtype).add(Average, Scalars.MinusOne), share);
    }

    /// <summary>Puts the average into the module. Fused: the two swap places, so no third copy is needed.</summary>
    public void Apply()
    {
        if (fused) Swap(Value.bytes, Average.bytes);
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
        if (fused) Swap(Value.bytes, Average.bytes);
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

    private static void Move<T>(Span<byte> average, ReadOnlySpan<byte> value, double weight) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Span<T> a = MemoryMarshal.Cast<byte, T>(average);
        var v = MemoryMarshal.Cast<byte, T>(value);
        if (a.Length != v.Length) throw new InvalidOperationException($"The average has {a.Length} elements, the value {v.Length}.");
        var share = T.CreateChecked(weight);
        var shares = new Vector<T>(share);
        ref T a0 = ref MemoryMarshal.GetReference(a);
        ref readonly T v0 = ref MemoryMarshal.GetReference(v);
        var i = 0;
        for (; i <= a.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            var old = Vector.LoadUnsafe(ref a0, (nuint)i);
            (old + (Vector.LoadUnsafe(in v0, (nuint)i) - old) * shares).StoreUnsafe(ref a0, (nuint)i);
        }
        for (; i < a.Length; i++) a[i] += (v[i] - a[i]) * share;
    }

    private static void Swap(Span<byte> left, Span<byte> right)
    {
        if (left.Length != right.Length) throw new InvalidOperationException($"The value has {left.Length} bytes, the average {right.Length}.");
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
