namespace RealNvp.Operations;

/// <summary>Which fused kernels may run. All are on; a kernel that is off leaves its
/// work to plain tensor operations, with the same results up to rounding.</summary>
/// <remarks>
/// An application turns one off before its first use with <c>AppContext.SetSwitch("RealNvp.Kernels.Spline", false)</c>, or with
/// <c>RuntimeHostConfigurationOption</c> in its project file. Tests and benchmarks set the properties.
/// </remarks>
internal static class KernelSwitches
{
    /// <summary>RealNvp.Kernels.Spline: rational-quadratic splines.</summary>
    public static bool Spline { get; set; } = IsOn(nameof(Spline));

    /// <summary>RealNvp.Kernels.Mixture: mixture-of-logistics maps.</summary>
    public static bool Mixture { get; set; } = IsOn(nameof(Mixture));

    /// <summary>RealNvp.Kernels.Affine: affine maps.</summary>
    public static bool Affine { get; set; } = IsOn(nameof(Affine));

    /// <summary>RealNvp.Kernels.Dense: networks of linear layers.</summary>
    public static bool Dense { get; set; } = IsOn(nameof(Dense));

    /// <summary>RealNvp.Kernels.Coupling: whole couplings and autoregressive layers of vectors, and Glow's couplings of images. Needs
    /// <see cref="Dense"/> or <see cref="ConvNet"/>, and the switch of the map too.</summary>
    public static bool Coupling { get; set; } = IsOn(nameof(Coupling));

    /// <summary>RealNvp.Kernels.Rows: whole flows of vectors on few rows. Needs <see cref="Coupling"/>,
    /// <see cref="Dense"/> and the switches of the maps too.</summary>
    public static bool Rows { get; set; } = IsOn(nameof(Rows));

    /// <summary>RealNvp.Kernels.Chain: several layers as one operation. Needs the switches of the layers too.</summary>
    public static bool Chain { get; set; } = IsOn(nameof(Chain));

    /// <summary>RealNvp.Kernels.Sequence: the inverse of autoregressive layers of vectors, feature by feature. Needs
    /// <see cref="Dense"/> and the switch of the map too.</summary>
    public static bool Sequence { get; set; } = IsOn(nameof(Sequence));

    /// <summary>RealNvp.Kernels.Image: what surrounds convolutions.</summary>
    public static bool Image { get; set; } = IsOn(nameof(Image));

    /// <summary>RealNvp.Kernels.Winograd: 3×3 convolutions with fewer multiplications. Needs <see cref="Image"/> too.</summary>
    public static bool Winograd { get; set; } = IsOn(nameof(Winograd));

    /// <summary>RealNvp.Kernels.ConvNet: Glow's network of three convolutions. Needs <see cref="Image"/> too.</summary>
    public static bool ConvNet { get; set; } = IsOn(nameof(ConvNet));

    /// <summary>RealNvp.Kernels.ResidualNet: Real NVP's network of images. Needs <see cref="Image"/> and <see cref="Winograd"/>
    /// too.</summary>
    public static bool ResidualNet { get; set; } = IsOn(nameof(ResidualNet));

    /// <summary>RealNvp.Kernels.Ode: the steps of solvers of differential equations.</summary>
    public static bool Ode { get; set; } = IsOn(nameof(Ode));

    /// <summary>RealNvp.Kernels.Residual: residual blocks of vectors, their inverses and the norms of their weights.</summary>
    public static bool Residual { get; set; } = IsOn(nameof(Residual));

    /// <summary>RealNvp.Kernels.Dynamics: whole solves of continuous flows whose velocity is a network of the library's.</summary>
    public static bool Dynamics { get; set; } = IsOn(nameof(Dynamics));

    /// <summary>RealNvp.Kernels.Loss: the training loss of latents with a standard normal density as one operation.</summary>
    public static bool Loss { get; set; } = IsOn(nameof(Loss));

    /// <summary>RealNvp.Kernels.Leaves: gradients of kernels go to weights without autograd's copies, and weights are not saved one by
    /// one for the backward pass.</summary>
    public static bool Leaves { get; set; } = IsOn(nameof(Leaves));

    private static bool IsOn(string name) => !AppContext.TryGetSwitch("RealNvp.Kernels." + name, out var on) || on;
}
