using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Which tensors a fused kernel may touch, and how saved state goes back into tensors.</summary>
internal static class TensorMemory
{
    /// <summary>True for a dense contiguous CPU tensor that one span can hold.</summary>
    public static bool IsPlain(Tensor tensor) =>
        KernelMemory.IsContiguous(tensor) && tensor.numel() * tensor.ElementSize <= int.MaxValue;

    public static Tensor Int64(long value) => tensor(value, ScalarType.Int64, CPU);

    /// <summary>
    /// Refuses a state whose names, shapes or dtypes differ from those expected, before anything is changed: TorchSharp would
    /// broadcast and cast in silence.
    /// </summary>
    public static void CheckState(IReadOnlyDictionary<string, Tensor> state,
        IReadOnlyDictionary<string, (long[] Shape, ScalarType Type)> expected, string owner)
    {
        ArgumentNullException.ThrowIfNull(state);
        var missing = expected.Keys.FirstOrDefault(name => !state.ContainsKey(name));
        if (missing is not null)
            throw new ArgumentException($"The state has no '{missing}'. Load a state that was saved from {owner} of the same model.",
                nameof(state));
        foreach (var (name, tensor) in state)
        {
            if (!expected.TryGetValue(name, out var wanted))
                throw new ArgumentException(
                    $"The state has '{name}', which this {owner} does not know. Load a state that was saved from {owner} of the same " +
                    $"model.", nameof(state));
            if (tensor is null || tensor.IsInvalid)
                throw new ArgumentException($"The tensor '{name}' of the state is null or disposed. Pass a live tensor.", nameof(state));
            if (tensor.dtype != wanted.Type || !tensor.shape.AsSpan().SequenceEqual(wanted.Shape))
                throw new ArgumentException(
                    $"The tensor '{name}' of the state is {tensor.dtype} {EventShape.Format(tensor.shape)}; {wanted.Type} " +
                        $"{EventShape.Format(wanted.Shape)} was expected. "
                    + $"Load a state that was saved from {owner} of the same model.", nameof(state));
        }
    }
}
