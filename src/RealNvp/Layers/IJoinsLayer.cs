using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>A layer that may run together with the one before it in Forward's order, as one.</summary>
internal interface IJoinsLayer
{
    /// <summary>Applies both; null if the two are better run alone. The log-determinant
    /// is that of both. None of the two runs another layer.</summary>
    (Tensor Value, Tensor? LogDet)? RunJoined(Bijection before, Tensor input, bool inverse);

    /// <summary>A step of a backward pass through both, after Forward of both
    /// has run together; null if the two are better taken alone.</summary>
    (Tensor Input, Tensor Gradient)? StepBackJoined(BackwardStep step, Bijection before, Tensor output, Tensor gradient);
}
