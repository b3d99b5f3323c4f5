using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Laws of buffers, for <see cref="IStateLaws"/>: each says what is wrong with a tensor of a state, or null.</summary>
internal static class BufferLaws
{
    /// <summary>The first fault of several, or null.</summary>
    public static string? First(params ReadOnlySpan<string?> faults)
    {
        foreach (var fault in faults)
            if (fault is not null) return fault;
        return null;
    }

    /// <summary>The numbers 0 to C - 1, each once.</summary>
    public static string? Permutation(IReadOnlyDictionary<string, Tensor> state, string name)
    {
        if (!state.TryGetValue(name, out var tensor)) return null;
        if (tensor.is_floating_point()) return $"{name} is {tensor.dtype}; expected {ScalarType.Int64}";
        using var scope = NewDisposeScope();
        var indices = tensor.FetchInt64s();
        var seen = new bool[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            if (indices[i] < 0 || indices[i] >= indices.Length || seen[indices[i]])
                return $"{name} has the value {indices[i]} at position {i}; expected each of 0 to {indices.Length - 1} once";
            seen[indices[i]] = true;
        }
        return null;
    }

    /// <summary>1 or -1.</summary>
    public static string? Signs(IReadOnlyDictionary<string, Tensor> state, string name) =>
        Each(state, name, v => Math.Abs(v) == 1, "1 or -1");

    /// <summary>No NaN and no infinity.</summary>
    public static string? Finite(IReadOnlyDictionary<string, Tensor> state, string name) =>
        Each(state, name, double.IsFinite, "finite numbers");

    /// <summary>Finite and not negative, as variances and counts.</summary>
    public static string? NotNegative(IReadOnlyDictionary<string, Tensor> state, string name) =>
        Each(state, name, v => v >= 0 && double.IsFinite(v), "numbers that are finite and not negative");

    /// <summary>From <paramref name="least"/> to <paramref name="most"/>.</summary>
    public static string? Within(IReadOnlyDictionary<string, Tensor> state, string name, double least, double most) =>
        Each(state, name, v => v >= least && v <= most, FormattableString.Invariant($"numbers in {least:G4} ... {most:G4}"));

    /// <summary>Mean, variance and count of a batch normalization, by the keys of PyTorch.</summary>
    public static string? RunningStatistics(IReadOnlyDictionary<string, Tensor> state) =>
        First(Finite(state, "running_mean"), NotNegative(state, "running_var"), NotNegative(state, "num_batches_tracked"));

    private static string? Each(IReadOnlyDictionary<string, Tensor> state, string name, Func<double, bool> holds, string expected)
    {
        if (!state.TryGetValue(name, out var tensor)) return null;
        using var scope = NewDisposeScope();
        var values = tensor.FetchDoubles();
        for (var i = 0; i < values.Length; i++)
            if (!holds(values[i]))
                return FormattableString.Invariant($"{name} has the value {values[i]:G9} at position {i}; expected {expected}");
        return null;
    }
}
