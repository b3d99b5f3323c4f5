namespace RealNvp;

public partial class Flow
{
    private ReversibleSession? reversible;

    /// <summary>
    /// Trains in constant memory: after <c>train()</c>, <see cref="NegativeLogLikelihood"/> keeps no
    /// activations but the latents, and the backward pass rebuilds those of one layer at a time with its
    /// inverse. Off by default; <see cref="TrainingOptions.Reversible"/> turns it on for a training.
    /// </summary>
    /// <remarks>
    /// <para>Memory then grows with depth by the weights and their gradients only, and a step takes some 1.3 to 1.5 times the time.
    /// Loss, gradients and running statistics are those of ordinary training, up to rounding: see <see cref="ReversibleDrift"/>.</para>
    /// <para>Couplings, linear layers, normalizations, squeezes, multi-scale architectures and chains of them are
    /// rebuilt. Layers whose inverse is slow or inexact (autoregressive and residual layers, periodic convolutions,
    /// mixtures of logistics, the logit) keep their input, and compute their activations again. Layers that draw
    /// random numbers are trained the ordinary way: see <see cref="Bijection.IsRepeatable"/>.</para>
    /// <para>Weights must not change between the loss and its backward pass, and there are no
    /// gradients of gradients. Only weights of layers, inputs and contexts get gradients: a layer
    /// must not use other tensors that need them. Evaluation and sampling are not affected.</para>
    /// <para>A weight that the loss does not depend on, such as a shift on circles before a
    /// uniform density, gets a gradient of zeros here, and none in ordinary training.</para>
    /// </remarks>
    public bool ReversibleTraining
    {
        get => reversible is not null;
        set => reversible = value ? reversible ?? new ReversibleSession() : null;
    }

    /// <summary>
    /// How far the inputs that the last backward pass has rebuilt were from the true ones: max |difference| / max |value|. 0 without
    /// <see cref="ReversibleTraining"/>.
    /// </summary>
    /// <remarks>
    /// Floating-point numbers do not invert exactly, and errors grow with depth. Where the drift is above half of the digits (3.5e-4 in
    /// float32, 1.5e-8 in float64), that backward pass is done again from inputs that are kept, so its gradients are right all the
    /// same; and from then on every 16th layer keeps its input, then every 8th, and so on. Such a step takes twice the time.
    /// </remarks>
    public double ReversibleDrift => reversible?.Drift ?? 0;
}
