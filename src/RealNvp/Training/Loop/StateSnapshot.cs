using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A copy of a module's whole state: weights and buffers. It lies
/// in the memory of the CPU: that of a GPU is for the training.</summary>
internal sealed class StateSnapshot : IDisposable
{
    public StateSnapshot(IEnumerable<KeyValuePair<string, Tensor>> state)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        // a clone without gradients is a leaf of its own, so nothing else is made that would stay alive
        Tensors = state.ToDictionary(e => e.Key, e => scope.Detach(e.Value.device_type == DeviceType.CPU ? e.Value.clone()
            : e.Value.FetchTensor()));
    }

    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    public void CopyTo(nn.Module module) => CopyTo(module.state_dict());

    /// <summary>Copies the values into tensors of the same names.</summary>
    public void CopyTo(IEnumerable<KeyValuePair<string, Tensor>> state)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (name, tensor) in state) tensor.copy_(Tensors[name]);
    }

    public void Dispose()
    {
        foreach (var tensor in Tensors.Values) tensor.Dispose();
    }
}
