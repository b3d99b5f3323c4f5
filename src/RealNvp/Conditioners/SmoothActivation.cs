namespace RealNvp;

/// <summary>An elementwise function between the layers of a network that has
/// derivatives everywhere, as dynamics of a continuous flow need.</summary>
public enum SmoothActivation
{
    /// <summary>tanh(h).</summary>
    Tanh,

    /// <summary>log(1 + exp(h)).</summary>
    Softplus,

    /// <summary>h·σ(h), also called swish.</summary>
    Silu,

    /// <summary>h if h &gt; 0, else exp(h) − 1; its second derivative jumps
    /// at 0, so a solver of high order takes smaller steps there.</summary>
    Elu,

    /// <summary>1.0507·h if h &gt; 0, else 1.7581·(exp(h) − 1); its derivative jumps at 0 from 1.7581 to 1.0507.</summary>
    Selu,
}
