namespace RealNvp;

/// <summary>What the network of a layer must take and give. A layer hands it to the function that makes its network.</summary>
/// <remarks>
/// <para><c>new CouplingLayer([43], mask, new SplineTransformer(8), size =&gt; new Mlp(size.Inputs, size.Outputs, 256))</c>.</para>
/// <para>Without a layer: <see cref="CouplingLayer.SizesFor"/>. Of a layer: <see cref="CouplingLayer.Sizes"/>.</para>
/// </remarks>
public sealed class ConditionerSizes
{
    internal ConditionerSizes(EventShape kept, EventShape changed, IReadOnlyList<int> keptAt, IReadOnlyList<int> changedAt, int parameters,
        bool maskIsInput, long contextSize)
    {
        (KeptShape, ChangedShape, KeptFeatures, ChangedFeatures) = (kept, changed, keptAt, changedAt);
        (ParametersPerElement, MaskIsInput, ContextSize) = (parameters, maskIsInput, contextSize);
        InputShape = maskIsInput ? With(kept, kept[0] + 1) : kept;
        OutputShape = With(changed, changed[0] == -1 ? -1 : checked(changed[0] * parameters));
    }

    /// <summary>I, the number of features or channels that the network takes; with the mask, if that is one of them.</summary>
    public long Inputs => InputShape[0];

    /// <summary>O, the number of features or channels that the network gives: P times those that are transformed.</summary>
    public long Outputs => OutputShape[0];

    /// <summary>The shape of one input of the network: [I] or [I, H, W].</summary>
    public EventShape InputShape { get; }

    /// <summary>The shape of one output of the network: [O] or [O, H, W].</summary>
    public EventShape OutputShape { get; }

    /// <summary>The shape of what is kept of an example; the whole example for a dense mask, and for an autoregressive layer.</summary>
    public EventShape KeptShape { get; }

    /// <summary>The shape of what is transformed; the whole example for a dense mask, and for an autoregressive layer.</summary>
    public EventShape ChangedShape { get; }

    /// <summary>The features or channels of an example that the network sees,
    /// in its order: indices along the first dimension, from 0.</summary>
    public IReadOnlyList<int> KeptFeatures { get; }

    /// <summary>The features or channels of an example that are transformed, in the
    /// order of the transformer: indices along the first dimension, from 0.</summary>
    public IReadOnlyList<int> ChangedFeatures { get; }

    /// <summary>P, the number of parameters that the transformer takes for one element.</summary>
    public int ParametersPerElement { get; }

    /// <summary>Whether the last input channel is the mask.</summary>
    public bool MaskIsInput { get; }

    /// <summary>C, the number of context features that the caller asked for; 0 if the network decides.</summary>
    public long ContextSize { get; }

    /// <summary>What a network that does not fit must be, after "it must map I to O", as the layer says it; null for what a transformer's
    /// must.</summary>
    internal string? Advice { get; init; }

    /// <summary>Both shapes in words.</summary>
    public override string ToString() => $"{Batched(InputShape)} to {Batched(OutputShape)}";

    internal static string Batched(EventShape shape) => $"(N, {shape.ToString().TrimStart('(').TrimEnd(')', ',')})";

    private static EventShape With(EventShape shape, long first) => EventShape.Create([first, .. shape.Skip(1)]);
}
