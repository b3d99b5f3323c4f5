namespace RealNvp.Kernels;

/// <summary>A linear layer of a network.</summary>
/// <param name="Inputs">The number of inputs.</param>
/// <param name="Outputs">The number of outputs.</param>
/// <param name="AddsSkip">Adds the result of the layer before the one before, as the end of a residual block does.</param>
internal readonly record struct DenseLayer(int Inputs, int Outputs, bool AddsSkip);

/// <summary>
/// What a kernel has to know of a network: linear layers, each of relu of the result before it, h₀ = W₀ x + b₀ (+ U c) and
/// hᵢ = Wᵢ relu(hᵢ₋₁) + bᵢ (+ hᵢ₋₂). The last result is the network's. Weights may have masks.
/// </summary>
internal sealed class DenseProgram
{
    /// <summary>Describes a network.</summary>
    /// <param name="inputs">I, the number of inputs.</param>
    /// <param name="outputs">The number of outputs of each layer.</param>
    /// <param name="context">C, the number of context features; 0 for none.</param>
    /// <param name="residual">Whether layers 2, 4, ... end residual blocks; the last layer never does.</param>
    /// <param name="bands">Where the masked weight of each layer has anything; null if weights have no masks.</param>
    public DenseProgram(long inputs, IReadOnlyList<long> outputs, long context, bool residual = false,
        IReadOnlyList<DenseBand>? bands = null)
    {
        (Bands, Residual) = (bands, residual);
        Context = checked((int)context);
        Layers = [.. outputs.Select((n, i) => new DenseLayer(checked((int)(i == 0 ? inputs : outputs[i - 1])), checked((int)n), residual
            && i > 0 && i % 2 == 0 && i < outputs.Count - 1))];
        Widest = Layers.Max(l => Math.Max(l.Inputs, l.Outputs));
        MostInputs = Layers.Max(l => l.Inputs);
        Weights = Layers.Sum(l => (long)l.Inputs * l.Outputs) + ((long)Context * Layers[0].Outputs);
    }

    /// <summary>Whether there are residual blocks, if any.</summary>
    public bool Residual { get; }

    /// <summary>Whether the last layer too is one of relu of the result
    /// before it. The kernels know no other; plain operations do.</summary>
    public bool LastIsActivated { get; init; } = true;

    /// <summary>Whether a layer is one of relu of the result before it.</summary>
    public bool IsActivated(int layer) => LastIsActivated || layer < Layers.Count - 1;

    /// <summary>The layers in their order; at least one.</summary>
    public IReadOnlyList<DenseLayer> Layers { get; }

    /// <summary>The number of context features; 0 for none.</summary>
    public int Context { get; }

    /// <summary>The most inputs or outputs that a layer has.</summary>
    public int Widest { get; }

    /// <summary>The most inputs that a layer has.</summary>
    public int MostInputs { get; }

    /// <summary>The elements of all weights, biases left out: the multiply-adds of one example.</summary>
    public long Weights { get; }

    /// <summary>Where the weight of each layer has anything; null if that is everywhere.</summary>
    public IReadOnlyList<DenseBand>? Bands { get; }

    /// <summary>The panels of packed weights, for vectors of so many float32 numbers; the context has a weight without a mask.</summary>
    public DensePanels Panels(int lanes) => DensePanels.Of<float>(lanes, Bands is not null);

    public int Inputs => Layers[0].Inputs;

    public int Outputs => Layers[^1].Outputs;

    /// <summary>Whether a layer ends a residual block, or, in a network without any, follows a block of one layer.</summary>
    public bool EndsBlock(int layer) => Residual ? Layers[layer].AddsSkip : layer > 1;

    /// <summary>Whether a later layer adds the result of this one.</summary>
    public bool IsAddedLater(int layer) => layer + 2 < Layers.Count && Layers[layer + 2].AddsSkip;
}
