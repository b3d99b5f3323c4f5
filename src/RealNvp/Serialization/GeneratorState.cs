using System.Buffers.Binary;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The state of torch's default generator on the CPU, as bytes.</summary>
/// <remarks>
/// Native code throws for a state that it does not like, and nothing in between catches that, so the process would end; and it believes
/// the position in the block, so that it would read past its end. All that it looks at is checked here before. The bytes are the seed
/// (8), <c>left</c> (4), <c>seeded</c> (4), <c>next</c> (8), 624 words of the Mersenne twister (8 each, of which 4 count), three
/// doubles and a flag (4, and 4 of padding) of a normal draw that waits, and a float and a flag (1, and 3 of padding) of another.
/// </remarks>
internal static class GeneratorState
{
    private const int Words = 624, Left = 8, Seeded = 12, Next = 16, State = 24, Normals = State + (8 * Words), NormalFlag = Normals + 24,
        Float = NormalFlag + 8, FloatFlag = Float + 4;

    /// <summary>The number of its bytes.</summary>
    public const int Length = FloatFlag + 4;

    /// <summary>What is wrong with a state that a file holds; null if native code takes it.</summary>
    public static string? Fault(Tensor state)
    {
        if (state.dtype != ScalarType.Byte || state.dim() != 1 || state.shape[0] != Length)
            return $"its random state is {state.dtype} {EventShape.Format(state.shape)}; expected {ScalarType.Byte} " +
                $"{EventShape.Format([Length])}";
        return Fault(state.bytes);
    }

    /// <inheritdoc cref="Fault(Tensor)"/>
    public static string? Fault(ReadOnlySpan<byte> state)
    {
        var (left, seeded, next) = (Int32(state, Left), Int32(state, Seeded), BinaryPrimitives.ReadUInt64LittleEndian(state[Next..]));
        if (seeded != 1) return $"its random state says {seeded} for whether it was seeded; expected 1";
        if (left is < 1 or > Words) return $"its random state has {left} numbers left in the block; expected 1 to {Words}";
        // a new one makes its first block at the first draw
        if (next != (ulong)(Words + 1 - left) && (left, next) != (1, 0))
            return $"its random state is at position {next} with {left} numbers left in the block of {Words}";
        for (var at = State; at < Normals; at += 8)
            if (Int32(state, at + 4) != 0) return $"word {(at - State) / 8} of its random state has more than 32 bits";
        if (Int32(state, NormalFlag) is not (0 or 1) || state[FloatFlag] > 1) return "its random state has a flag that is neither 0 nor 1";
        for (var at = Normals; at < NormalFlag; at += 8)
            if (!double.IsFinite(BinaryPrimitives.ReadDoubleLittleEndian(state[at..])))
                return "its random state holds a normal draw that is not finite";
        return float.IsFinite(BinaryPrimitives.ReadSingleLittleEndian(state[Float..])) ? null
            : "its random state holds a normal draw that is not finite";
    }

    private static int Int32(ReadOnlySpan<byte> state, int at) => BinaryPrimitives.ReadInt32LittleEndian(state[at..]);
}
