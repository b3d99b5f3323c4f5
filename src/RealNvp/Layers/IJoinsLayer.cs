using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A layer that may run together with the layer before it, as one call that costs less than both.</summary>
/// <remarks>
/// <para>Nothing needs it. Two layers are neighbours if they stand next to each other in a <see cref="Composite"/>, such as a
/// <see cref="Chain"/>, in the same direction and for the same part. Whenever somebody looks at each layer, as the search for a layer at
/// fault does, or in the first pass of a reversible training from latents to data, both run alone, so one way must give what the other
/// gives.</para>
/// <para>The two are one for <see cref="Flow.ReversibleTraining"/> then: it goes back through both by <see cref="StepBackJoined"/>, or
/// through one after the other.</para>
/// </remarks>
public interface IJoinsLayer
{
    /// <summary>Applies both. Runs in a dispose scope; dispose none of the arguments.</summary>
    /// <param name="before">The neighbour before this layer in Forward's order: ask whether it is one that can be joined.</param>
    /// <param name="input">What Forward gives to <paramref name="before"/>, or Inverse to this layer.</param>
    /// <param name="pass">The context, and where random numbers come from.</param>
    /// <param name="inverse">The direction: this layer is undone first, and then the other.</param>
    /// <returns>The value after both and the log-determinant (N) of both, null if it is 0 for every input; null in place of both if they
    /// are better run alone, which is decided before anything is changed.</returns>
    (Tensor Value, Tensor? LogDet)? RunJoined(Bijection before, Tensor input, Pass pass, bool inverse);

    /// <summary>Both as one step of a chain that runs as one (<see cref="IJoinsChain"/>), for one call; null, as by itself, if they are
    /// better run alone or by <see cref="RunJoined"/>. Draw nothing and change nothing here, as in
    /// <see cref="IJoinsChain.StepFor"/>.</summary>
    /// <param name="before">The neighbour before this layer in Forward's order: ask whether it is one that can be joined.</param>
    /// <param name="input">Such as Forward gives to <paramref name="before"/>, or Inverse to this layer; see
    /// <see cref="IJoinsChain.StepFor"/>.</param>
    /// <param name="pass">The context, and where random numbers come from.</param>
    /// <param name="inverse">The direction: this layer is undone first, and then the other.</param>
    ChainStep? StepJoined(Bijection before, Tensor input, Pass pass, bool inverse) => null;

    /// <summary>A step of a backward pass through both, after Forward of both has run together (<see cref="IStepsBack"/>); null, as by
    /// itself, if the two are better taken alone.</summary>
    /// <param name="backward">The context, the gradient of the log-determinants, and where the gradients of weights go.</param>
    /// <param name="before">The neighbour before this layer.</param>
    /// <param name="output">What both gave, (N, ...).</param>
    /// <param name="gradient">The gradient of the loss with respect to the output.</param>
    /// <returns>The input of <paramref name="before"/>, and the gradient of the loss with respect to it.</returns>
    (Tensor Input, Tensor Gradient)? StepBackJoined(BackwardStep backward, Bijection before, Tensor output, Tensor gradient) => null;
}
