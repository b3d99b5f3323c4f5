namespace RealNvp;

/// <summary>The function between the layers of a network of PyTorch, which a state dict does not tell.</summary>
public enum PyTorchActivation
{
    /// <summary>max(x, 0): <c>F.relu</c>, <c>nn.ReLU</c>.</summary>
    Relu,

    /// <summary>tanh(x): <c>torch.tanh</c>, <c>nn.Tanh</c>.</summary>
    Tanh,

    /// <summary>x, or exp(x) − 1 if x is negative: <c>F.elu</c>, <c>nn.ELU</c> with alpha 1.</summary>
    Elu,

    /// <summary>x, or 0.01 x where x is negative: <c>F.leaky_relu</c>, <c>nn.LeakyReLU</c> with its default slope.</summary>
    LeakyRelu,

    /// <summary>x·σ(x): <c>F.silu</c>, <c>nn.SiLU</c>.</summary>
    Silu,

    /// <summary>x·Φ(x): <c>F.gelu</c>, <c>nn.GELU</c> without approximation.</summary>
    Gelu,

    /// <summary>log(1 + exp x): <c>F.softplus</c>, <c>nn.Softplus</c>.</summary>
    Softplus,

    /// <summary>σ(x): <c>torch.sigmoid</c>, <c>nn.Sigmoid</c>.</summary>
    Sigmoid,
}
