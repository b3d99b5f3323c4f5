using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What one layer of a reversible run keeps, or two that ran together: places on the tape.</summary>
internal sealed class TapeFrame(Bijection layer, Bijection? before)
{
    private readonly Dictionary<nn.Module, List<int>> parts = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(nn.Module, bool), int> visits = [];

    public Bijection Layer => layer;

    /// <summary>The layer that ran together with <see cref="Layer"/>, before it; null if that ran alone.</summary>
    public Bijection? Before => before;

    /// <summary>The layer's input, if it is kept.</summary>
    public int? Input { get; set; }

    /// <summary>The layer's input, where this backward pass has computed it again.</summary>
    public Tensor? Rebuilt { get; set; }

    /// <summary>The state, before the pass, of networks that are not the library's.</summary>
    public int[] State { get; set; } = [];

    /// <summary>What a part of the layer wrote.</summary>
    public List<int> Of(nn.Module part) => parts.TryGetValue(part, out var list) ? list : parts[part] = [];

    /// <summary>Counts the visits of a part, one way and the other.</summary>
    public int Visit(nn.Module part, bool fromEnd)
    {
        var count = visits.GetValueOrDefault((part, fromEnd));
        visits[(part, fromEnd)] = count + 1;
        return count;
    }

    public void Rewind() => visits.Clear();
}
