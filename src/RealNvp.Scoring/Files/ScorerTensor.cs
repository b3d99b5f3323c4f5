using System.Buffers.Binary;

namespace RealNvp.Scoring.Files;

/// <summary>The numbers of one tensor of a file.</summary>
/// <remarks>Floating-point numbers of all dtypes become float64 one by one when they are asked for.</remarks>
internal sealed class ScorerTensor
{
    private readonly TensorRecord record;
    private readonly string file;
    private byte[] bytes = [];
    private int count;

    public ScorerTensor(TensorRecord record, string file)
    {
        (this.record, this.file) = (record, file);
        if (record.ByteCount > Array.MaxLength)
            throw new NotSupportedException(
                $"{file}: the weight '{FileText.Name(record.Name)}' has {record.ByteCount} bytes; this package reads tensors of less " +
                "than 2 GiB. Load the model with the package RealNvp.");
    }

    public IReadOnlyList<long> Shape => record.Shape;

    public bool HasShape(ReadOnlySpan<long> shape)
    {
        if (shape.Length != record.Shape.Count) return false;
        for (var i = 0; i < shape.Length; i++)
            if (shape[i] != record.Shape[i]) return false;
        return true;
    }

    /// <summary>Adds the next bytes.</summary>
    /// <param name="more">They.</param>
    /// <param name="believable">How many bytes may be allocated for a tensor by now.</param>
    public void Add(ReadOnlySpan<byte> more, long believable)
    {
        if (count + more.Length > bytes.Length) Array.Resize(ref bytes, (int)Math.Min(record.ByteCount, believable));
        more.CopyTo(bytes.AsSpan(count));
        count += more.Length;
    }

    /// <summary>The floating-point numbers, in memory that stays where it is.</summary>
    /// <exception cref="InvalidDataException">They are integers.</exception>
    public float[] Floats()
    {
        var values = GC.AllocateUninitializedArray<float>(Count, pinned: true);
        if (record.DType == "F32" && BitConverter.IsLittleEndian)
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes.AsSpan(0, count)).CopyTo(values);
        else
            for (var i = 0; i < values.Length; i++) values[i] = (float)Number(i);
        return values;
    }

    /// <summary>The floating-point numbers.</summary>
    /// <param name="holds">What each must fulfil.</param>
    /// <param name="expected">That, in words.</param>
    /// <exception cref="InvalidDataException">They are integers, or one does not.</exception>
    public double[] Doubles(Func<double, bool>? holds = null, string expected = "")
    {
        var values = new double[Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Number(i);
            if (holds?.Invoke(values[i]) == false)
                throw new InvalidDataException(FormattableString.Invariant(
                    $"{file}: the weight {record.Name} has the value {values[i]:G9} at position {i}; expected {expected}."));
        }
        return values;
    }

    /// <summary>Each of 0 to n − 1 once.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public int[] Permutation()
    {
        if (record.DType != "I64") throw Unexpected("I64");
        var values = new int[Count];
        var seen = new bool[values.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var value = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(i * 8, 8));
            if (value < 0 || value >= values.Length || seen[value])
                throw new InvalidDataException(
                    $"{file}: the weight {record.Name} has the value {value} at position {i}; expected each of 0 to {values.Length - 1} " +
                        $"once.");
            seen[value] = true;
            values[i] = (int)value;
        }
        return values;
    }

    private int Count => (int)(record.ByteCount / record.ElementSize);

    private double Number(int i)
    {
        var at = bytes.AsSpan(i * record.ElementSize, record.ElementSize);
        return record.DType switch
        {
            "F32" => BinaryPrimitives.ReadSingleLittleEndian(at),
            "F64" => BinaryPrimitives.ReadDoubleLittleEndian(at),
            "F16" => (double)BinaryPrimitives.ReadHalfLittleEndian(at),
            "BF16" => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(at) << 16),
            _ => throw Unexpected("a floating-point dtype"),
        };
    }

    private InvalidDataException Unexpected(string expected) =>
        new($"{file} does not fit the model that it describes: the weight {record.Name} is {record.DType}; expected {expected}.");
}
