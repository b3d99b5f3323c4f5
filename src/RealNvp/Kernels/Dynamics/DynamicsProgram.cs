namespace RealNvp.Kernels;

/// <summary>The function between the layers of dynamics, in the order of the layers' own list.</summary>
internal enum SmoothFunction
{
    Tanh,
    Softplus,
    Silu,
    Elu,
    Selu,
}

/// <summary>How the divergence of a velocity is had.</summary>
internal enum DynamicsDivergence
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>D directions go through the products, and of the last one only the diagonal is computed.</summary>
    Tangents,

    /// <summary>A matrix that is made of the weights says it: Σₒ factorₒ (B s)ₒ, where s are the slopes of the first layer
    /// and the factor is the slopes of the second layer, or the scale of the last one if that is the second.</summary>
    Joined,
}

/// <summary>A linear layer h = f((W x + b)·σ(g t + g₀) + S u(t)) of dynamics;
/// what a context adds to gate and shift differs from row to row.</summary>
/// <param name="Inputs">I, the number of inputs.</param>
/// <param name="Outputs">O, the number of outputs.</param>
/// <param name="IsGated">Whether it has a gate.</param>
/// <param name="Times">K, the functions of time in its shift: t, and cosines and sines of it; 0 for none.</param>
internal readonly record struct DynamicsLayer(int Inputs, int Outputs, bool IsGated, int Times)
{
    public long Weights => (long)Inputs * Outputs;
}

/// <summary>What a kernel has to know of the velocity v(t, x) that examples follow: a network of linear layers.</summary>
internal sealed class DynamicsProgram
{
    /// <param name="layers">The layers, at least 2; the last one has no function behind it.</param>
    /// <param name="function">The function behind all others.</param>
    public DynamicsProgram(IReadOnlyList<DynamicsLayer> layers, SmoothFunction function)
    {
        (Layers, Function) = ([.. layers], function);
        Widest = Layers.Max(l => Math.Max(l.Inputs, l.Outputs));
        Times = Layers.Max(l => l.Times);
        Weights = Layers.Sum(l => l.Weights);
    }

    public DynamicsLayer[] Layers { get; }

    public SmoothFunction Function { get; }

    /// <summary>D, the number of elements of an example.</summary>
    public int Features => Layers[0].Inputs;

    /// <summary>The most inputs or outputs that a layer has.</summary>
    public int Widest { get; }

    /// <summary>The most functions of time that a layer reads; 0 if none reads any.</summary>
    public int Times { get; }

    /// <summary>The multiply-adds of one velocity.</summary>
    public long Weights { get; }

    /// <summary>Whether the divergence can be <see cref="DynamicsDivergence.Joined"/>.</summary>
    public bool CanJoin => Layers.Length == 2 || (Layers.Length == 3 && !Layers[2].IsGated);
}
