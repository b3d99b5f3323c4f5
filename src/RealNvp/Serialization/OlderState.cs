using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Completes a state from a file that is older than some buffers of the model with what these were in effect (<see cref="IOlderFiles"/>): a standardization
/// that does not say whether it was fitted counts as fitted. It owns what it adds.
/// </summary>
internal sealed class OlderState : IDisposable
{
    /// <summary>The format version that has all these buffers.</summary>
    public const int Since = 2;

    private readonly List<Tensor> made = [];

    /// <summary>Adds to <paramref name="source"/> what it lacks.</summary>
    /// <param name="module">What the state is for.</param>
    /// <param name="source">The state from the file, by name.</param>
    /// <param name="target">The state of the module, by the same names.</param>
    /// <param name="version">The format version of the file: from <see cref="Since"/> on nothing may lack.</param>
    public OlderState(nn.Module module, Dictionary<string, Tensor> source, IReadOnlyDictionary<string, Tensor> target, int version)
    {
        if (version >= Since) return;
        using var _ = no_grad();
        foreach (var (name, part) in module.named_modules().Append(("", module)))
        {
            if (part is not IOlderFiles older) continue;
            foreach (var (key, value) in older.Missing)
            {
                var full = name.Length == 0 ? key : $"{name}.{key}";
                if (source.ContainsKey(full) || !target.TryGetValue(full, out var like)) continue;
                var tensor = empty_like(like).fill_(Scalars.Of(value)).DetachFromDisposeScope();
                made.Add(tensor);
                source[full] = tensor;
            }
        }
    }

    public void Dispose() => made.ForEach(t => t.Dispose());
}
