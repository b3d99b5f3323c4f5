using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A copy of a module's whole state: weights and buffers.</summary>
internal sealed class StateSnapshot : IDisposable
{
    public StateSnapshot(IEnumerable<KeyValuePair<string, Tensor>> state)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        // a clone without gradients is a leaf of its own, so nothing else is made that would stay alive
        Tensors = state.ToDictionary(e => e.Key, e => scope.Detach(e.Value.clone()));
    }

    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    public void CopyTo(nn.Module module)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (name, tensor) in module.state_dict()) tensor.copy_(Tensors[name]);
    }

    public void Dispose()
    {
        foreach (var tensor in Tensors.Values) tensor.Dispose();
    }
}
