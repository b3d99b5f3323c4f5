using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    private ScalarType? conditionerDtype;

    /// <summary>
    /// What the built-in conditioners compute in if weights and data are float32: <c>ScalarType.BFloat16</c>, or null, the default, for
    /// float32 too. Tensor cores of a GPU multiply bfloat16 several times as fast; a CPU gains only where it has instructions for it.
    /// </summary>
    /// <remarks>
    /// <para>Weights stay float32, and so do their gradients, the optimizer's state and checkpoints: the networks round weights
    /// and activations as they go. Networks for vectors (<see cref="Mlp"/>, <see cref="ResidualMlp"/>, <see cref="Made"/>)
    /// compute throughout in bfloat16, networks for images (<see cref="ResidualConvNet"/>, <see cref="GlowConvNet"/>) in each
    /// convolution, with normalizations and sums in float32. Their result is float32 again. Masks, transforms,
    /// log-determinants, densities and the loss are float32 throughout. A network of your own computes as you wrote it.</para>
    /// <para>bfloat16 has 8 bits, so a network's result is off by some thousandths: the model is
    /// another one than in float32, with an exact density of its own. Train, evaluate and sample
    /// with the same setting. It is not part of a checkpoint: set it again after loading.</para>
    /// <para>One coupling is as invertible as in float32, since its network sees the same numbers both ways. In a chain the inverse
    /// of the layers behind it gives the network's input back up to float32's rounding only, and now and then such a number is
    /// rounded to the other of two neighbours: then elements of a round trip differ by some thousandths, not by millionths. The
    /// same holds for autoregressive layers, and for <see cref="ReversibleTraining"/>, which keeps more inputs then.</para>
    /// <para>In float64 the networks compute in float64. The fused kernels of the
    /// CPU do not run for bfloat16. Set it before use from several threads.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">Another dtype.</exception>
    public ScalarType? ConditionerDtype
    {
        get => conditionerDtype;
        set
        {
            if (value is not (null or ScalarType.BFloat16))
                throw new ArgumentException(
                    $"{GetName()}.{nameof(ConditionerDtype)} was set to {value}; expected " +
                    $"{nameof(ScalarType)}.{nameof(ScalarType.BFloat16)}, or null for the dtype of the weights. float16 is too narrow " +
                    $"for gradients; for other dtypes move the model: model.to(dtype).", nameof(value));
            ConditionerMath.SetDtype(this, value);
            conditionerDtype = value;
        }
    }
}
