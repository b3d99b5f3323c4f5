using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>One parameter of an <see cref="AdamOptimizer"/> with its state; it owns the state, not the parameter.</summary>
internal sealed class AdamSlot : IDisposable
{

    public AdamSlot(string name, Parameter parameter, ParameterGroup group, bool allowFused)
    {
        (Name, Parameter, Group) = (name, parameter, group);
        var type = parameter.dtype;
        Fused = allowFused && (type is ScalarType.Float32 or ScalarType.Float64) && TensorMemory.IsPlain(parameter);
        // In half precision the square of a gradient and 1 - β2 would round to 0.
        var stateType = type is ScalarType.Float16 or ScalarType.BFloat16 ? ScalarType.Float32 : type;
        Average = zeros(parameter.shape, stateType, parameter.device).DetachFromDisposeScope();
        Square = zeros(parameter.shape, stateType, parameter.device).DetachFromDisposeScope();
        WeightDecay = group.WeightDecay;
    }

    public string Name { get; }
    public Parameter Parameter { get; }
    public ParameterGroup Group { get; }
    public bool Fused { get; }
    public Tensor Average { get; }
    public Tensor Square { get; }
    public long Steps { get; set; }

    /// <summary>The gradient of this step; set and disposed by the optimizer within one step.</summary>
    public Tensor? Gradient { get; set; }

    private Scalar WeightDecay { get; }

    /// <summary>Takes the parameter's gradient, contiguous where the fused kernel needs it.</summary>
    public void TakeGradient()
    {
        if (Parameter.IsInvalid)
            throw new InvalidOperationException(
                $"The parameter '{Name}' was disposed after this optimizer was made. Module.to() and cuda() replace every parameter by a new one: "
                + "move the module first, then make the optimizer (and load its state).");
        Gradient = Parameter.grad;
        if (Gradient is null) return;
        if (Gradient.is_sparse)
            throw new InvalidOperationException($"The parameter '{Name}' has a sparse gradient. Make its layer give dense gradients (sparse: false).");
        if (!Fused || Gradient.is_contiguous()) return;
        var strided = Gradient;
        Gradient = strided.contiguous();
        strided.Dispose();
    }

    public void ReleaseGradient()
    {
        Gradient?.Dispose();
        Gradient = null;
    }

    /// <summary>The sum of squares of the gradient, for a fused slot.</summary>
    public double SumOfSquares() => Parameter.dtype == ScalarType.Float32
        ? AdamKernel.SumOfSquares(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(Gradient!.bytes))
        : AdamKernel.SumOfSquares(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, double>(Gradient!.bytes));

    /// <summary>The same as a 0-dim tensor on the parameter's device, in its dtype (float32 for half precision).</summary>
    public Tensor SumOfSquaresTensor()
    {
        var gradient = Gradient!.to(Average.dtype);
        return gradient.mul(gradient).sum();
    }

    /// <summary>Updates the state and the parameter.</summary>
    public void Apply(AdamOptions options, AdamScalars scalars, double learningRate, double gradientScale)
    {
        Steps++;
        var step = new AdamStep(options.Beta1, options.Beta2, options.Epsilon, Group.WeightDecay, gradientScale,
            learningRate * Group.LearningRateFactor / (1 - Math.Pow(options.Beta1, Steps)), Math.Sqrt(1 - Math.Pow(options.Beta2, Steps)));
        if (!Fused) ApplyTensors(scalars, step);
        else if (Parameter.dtype == ScalarType.Float32) AdamKernel.Apply<float>(Parameter.bytes, Gradient!.bytes, Average.bytes, Square.bytes, step);
        else AdamKernel.Apply<double>(Parameter.bytes, Gradient!.bytes, Average.bytes, Square.bytes, step);
    }

    /// <summary>The twin of <see cref="AdamKernel.Apply"/> for any device and dtype; the caller has a dispose scope and no_grad.</summary>
    private void ApplyTensors(AdamScalars scalars, in AdamStep step)
    {
        using Scalar scale = step.GradientScale, correction = 1 / step.RootCorrection2, size = -step.StepSize;
        var gradient = Gradient!.to(Average.dtype);
        if (step.GradientScale != 1) gradient = gradient.mul(scale);
        if (step.WeightDecay != 0) gradient = gradient.add(Parameter, WeightDecay);
        Average.mul_(scalars.Beta1).add_(gradient, scalars.Rest1);
        Square.mul_(scalars.Beta2).addcmul_(gradient, gradient, scalars.Rest2);
        Parameter.addcdiv_(Average, Square.sqrt().mul_(correction).add_(scalars.Epsilon), size);
    }

    public static void Accumulate(Tensor total, Tensor part) => total.add_(part.to(total.device), Scalars.One);

    public void Dispose()
    {
        ReleaseGradient();
        Average.Dispose();
        Square.Dispose();
        WeightDecay.Dispose();
    }
}
