using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Asks all parts of a module for the laws of their states.</summary>
internal static class StateCheck
{
    private static readonly IReadOnlyDictionary<string, Tensor> none = new Dictionary<string, Tensor>();

    /// <summary>Throws if a part of the module says that a state is none that it could have.</summary>
    /// <param name="module">What the state is for.</param>
    /// <param name="state">By the keys of the module's state dict.</param>
    /// <param name="file">What the message calls the file.</param>
    /// <exception cref="InvalidDataException">A value breaks a law; the message names module and buffer.</exception>
    public static void Laws(nn.Module module, IReadOnlyDictionary<string, Tensor> state, string file)
    {
        var parts = new Dictionary<string, Dictionary<string, Tensor>>(StringComparer.Ordinal);
        foreach (var (key, tensor) in state)
        {
            var dot = key.LastIndexOf('.');
            var part = dot < 0 ? "" : key[..dot];
            if (!parts.TryGetValue(part, out var own)) parts[part] = own = new(StringComparer.Ordinal);
            own[key[(dot + 1)..]] = tensor;
        }
        using var _ = no_grad();
        foreach (var (name, part) in module.named_modules().Append(("", module)))
        {
            var own = parts.TryGetValue(name, out var found) ? found : none;
            var fault = part switch
            {
                IStateLaws laws => laws.FaultIn(own),
                TorchSharp.Modules.BatchNorm => BufferLaws.RunningStatistics(own),
                _ => null,
            };
            if (fault is not null)
                throw new InvalidDataException(
                    $"{file} is damaged: the state of {(name.Length == 0 ? part.GetName() : name)} is none that it could have: {fault}. " +
                    $"Use another copy of the file.");
        }
    }
}
