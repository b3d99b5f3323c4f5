namespace RealNvp;

/// <summary>How nflows' affine maps make a scale s of a number a of their network.</summary>
public enum NflowsScale
{
    /// <summary>What nflows 0.14 does by itself: <see cref="Sigmoid"/> in
    /// couplings, <see cref="Softplus"/> in autoregressive layers.</summary>
    Default,

    /// <summary>s = σ(a + 2) + 0.001: <c>DEFAULT_SCALE_ACTIVATION</c>; also autoregressive layers of older versions.</summary>
    Sigmoid,

    /// <summary>s = softplus(a) + 0.001.</summary>
    Softplus,

    /// <summary>s = min(softplus(a) + 0.001, 3): <c>GENERAL_SCALE_ACTIVATION</c>.</summary>
    General,
}
