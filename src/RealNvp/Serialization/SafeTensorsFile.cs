using TorchSharp;

namespace RealNvp;

/// <summary>The tensors and metadata that <see cref="SafeTensors"/>.<c>Load</c> read.</summary>
/// <remarks>
/// It owns its tensors: <see cref="Dispose"/> disposes them all. A tensor that shall live longer is taken with <c>clone()</c>.
/// The tensors were made in the dispose scope of the caller of <c>Load</c>, if there was one, and end with it too.
/// </remarks>
public sealed class SafeTensorsFile : IDisposable
{
    internal SafeTensorsFile(IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, torch.Tensor> tensors,
        string name) =>
        (Metadata, Tensors, Name) = (metadata, tensors, name);

    /// <summary>What messages call the file.</summary>
    internal string Name { get; }

    /// <summary>The strings of the file's <c>__metadata__</c>; empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors by name: on the CPU, contiguous, without gradient.</summary>
    public IReadOnlyDictionary<string, torch.Tensor> Tensors { get; }

    /// <summary>The tensor with this name; this object keeps its ownership.</summary>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    public torch.Tensor this[string name] => Tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new KeyNotFoundException(
            $"The file has no tensor '{name}'; it has {Tensors.Count} tensors: " +
            $"{string.Join(", ", Tensors.Keys.Take(10).Select(FileText.Name))}{(Tensors.Count > 10 ? ", ..." : "")}.");

    /// <summary>Disposes all tensors. A second call does nothing.</summary>
    public void Dispose()
    {
        foreach (var tensor in Tensors.Values) tensor.Dispose();
    }
}
