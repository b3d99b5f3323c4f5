using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The tensors of an elementwise map with parameters: what a kernel reads, and what it writes.</summary>
internal static class ElementMap
{
    /// <summary>Value and log-derivative of each element, without gradients. The caller disposes them.</summary>
    /// <param name="input">The elements.</param>
    /// <param name="parameters">Their parameters.</param>
    /// <param name="each">The number of parameters of an element.</param>
    /// <param name="launch">Runs the kernel on input, parameters, value and log-derivative.</param>
    public static (Tensor Value, Tensor LogDerivative) Run(Tensor input, Tensor parameters, int each, Action<ElementTensor[]> launch)
    {
        var (value, logDerivative) = (Like(input, input), Like(input, input));
        launch([ElementTensor.In(input, 1), ElementTensor.In(parameters, each), ElementTensor.Out(value, 1), ElementTensor.Out(logDerivative, 1)]);
        return (value, logDerivative);
    }

    /// <summary>The gradients of input and parameters. The caller disposes them.</summary>
    /// <param name="input">The elements.</param>
    /// <param name="parameters">Their parameters.</param>
    /// <param name="each">The number of parameters of an element.</param>
    /// <param name="ofValue">The gradient of the value.</param>
    /// <param name="ofLogDerivative">The gradient of the log-derivative.</param>
    /// <param name="launch">Runs the kernel on input, parameters, both gradients, and the two to write.</param>
    public static (Tensor OfInput, Tensor OfParameters) Gradients(
        Tensor input, Tensor parameters, int each, Tensor ofValue, Tensor ofLogDerivative, Action<ElementTensor[]> launch)
    {
        var (ofInput, ofParameters) = (Like(input, input), Like(parameters, input));
        using var scope = NewDisposeScope();
        launch(
        [
            ElementTensor.In(input, 1), ElementTensor.In(parameters, each), ElementTensor.Upstream(ofValue, input), ElementTensor.Upstream(ofLogDerivative, input),
            ElementTensor.Out(ofInput, 1), ElementTensor.Out(ofParameters, each),
        ]);
        return (ofInput, ofParameters);
    }

    private static Tensor Like(Tensor shape, Tensor type) => empty(shape.shape, dtype: type.dtype, device: type.device);
}
