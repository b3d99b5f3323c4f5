using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network that gives a bijection its parameters: θ = g(kept part of x, context).</summary>
/// <remarks>
/// Derive from this class for a conditional network; any <c>nn.Module&lt;Tensor, Tensor&gt;</c> serves if no context is used.
/// Let the last layer start at zero, so that a new flow starts as the identity.
/// </remarks>
public abstract class Conditioner : nn.Module<Tensor, Tensor?, Tensor>, INetworkShapes
{
    /// <summary>Makes a conditioner.</summary>
    /// <param name="name">The name that errors show.</param>
    /// <param name="contextSize">The number of context features C; 0 for none.</param>
    protected Conditioner(string name, long contextSize) : base(TorchBackend.Checked(name))
    {
        Internal.Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        ContextSize = contextSize;
    }

    /// <summary>The number of context features C that it needs; 0 if it takes none.</summary>
    public long ContextSize { get; }

    /// <inheritdoc/>
    /// <remarks>Override it together with <see cref="OutputShape"/>; a layer then checks the network without a call of it.</remarks>
    public virtual EventShape? InputShape => null;

    /// <inheritdoc/>
    public virtual EventShape? OutputShape => null;

    /// <inheritdoc/>
    public virtual IReadOnlyList<Circle> CircularInputs => [];

    /// <summary>The network as a tree of its parts, each with its class, shapes, properties and number
    /// of parameters; <see cref="IDescribed"/> lets a part say it in its own words.</summary>
    public override string ToString() => Describing.ModuleTree.Of(this);
}
