using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>One parameter of an <see cref="AdamOptimizer"/> with its state; it owns the state, not the parameter.</summary>
internal sealed unsafe class AdamSlot : IDisposable
{
    private readonly ScalarType type;
    private readonly int length;
    private readonly void* average, square;
    private IntPtr handle;

    // the steps as a script counts them, and what they were here when it did
    private Tensor? deviceSteps;
    private long countedSteps;

    public AdamSlot(string name, Parameter parameter, ParameterGroup group, bool allowFused)
    {
        (Name, Parameter, Group) = (name, parameter, group);
        type = parameter.dtype;
        Fused = allowFused && (type is ScalarType.Float32 or ScalarType.Float64) && TensorMemory.IsPlain(parameter);
        // In half precision the square of a gradient and 1 - β2 would round to 0.
        var stateType = type is ScalarType.Float16 or ScalarType.BFloat16 ? ScalarType.Float32 : type;
        Average = zeros(parameter.shape, stateType, parameter.device).DetachFromDisposeScope();
        Square = zeros(parameter.shape, stateType, parameter.device).DetachFromDisposeScope();
        WeightDecay = Scalars.Of(group.WeightDecay);
        CanScript = !Fused && stateType == type && parameter.is_contiguous()
            && (parameter.device_type is DeviceType.CPU or DeviceType.CUDA);
        if (!Fused) return;
        length = (int)parameter.numel();
        KernelMemory.TryGet(Average.Handle, type, length, out average);
        KernelMemory.TryGet(Square.Handle, type, length, out square);
    }

    public string Name { get; }
    public Parameter Parameter { get; }
    public ParameterGroup Group { get; }
    public bool Fused { get; }
    public int Length => length;

    /// <summary>The state. Its memory never moves: nobody else gets these tensors.</summary>
    public Tensor Average { get; }

    /// <inheritdoc cref="Average"/>
    public Tensor Square { get; }
    public long Steps { get; set; }

    /// <summary>The place in the moving average of the weights that a fused step updates too, or null.</summary>
    public AverageSlot? WeightAverage { get; set; }

    /// <summary>True between <see cref="TakeGradient"/> and <see cref="ReleaseGradient"/> where the parameter has a gradient.</summary>
    public bool HasGradient => handle != 0 || Gradient is not null;

    /// <summary>The number that <see cref="AdamPass.Add"/> gave in this step.</summary>
    public int Block { get; private set; }

    // On the tensor path, and where the fused pass needs a contiguous copy.
    private Tensor? Gradient { get; set; }
    private Scalar WeightDecay { get; }

    /// <summary>Takes the parameter's gradient; a fused slot enters it into the
    /// pass. The caller calls <see cref="ReleaseGradient"/> in any case.</summary>
    public void TakeGradient(AdamPass pass)
    {
        if (Parameter.IsInvalid)
            throw new InvalidOperationException(
                $"The parameter '{Name}' was disposed after this optimizer was made. Module.to() and cuda() replace every parameter by " +
                    $"a new one: "
                + "move the module first, then make the optimizer (and load its state).");
        if (!Fused)
        {
            Gradient = Parameter.grad;
            if (Gradient is not null) CheckDense(Gradient);
            return;
        }
        handle = KernelMemory.TakeGradient(Parameter.Handle);
        if (handle == 0) return;
        if (!KernelMemory.TryGet(Parameter.Handle, type, length, out var values))
            throw new InvalidOperationException(
                $"The parameter '{Name}' has other memory than when this optimizer was made. Make the optimizer again.");
        if (!KernelMemory.TryGet(handle, type, length, out var gradient)) gradient = ContiguousGradient();
        Block = pass.Add(new AdamBlock
        {
            IsDouble = type == ScalarType.Float64, Length = length,
            Parameter = values, Gradient = gradient, Average = average, Square = square,
        });
    }

    public void ReleaseGradient()
    {
        if (handle != 0) KernelMemory.ReleaseGradient(handle);
        handle = 0;
        Gradient?.Dispose();
        Gradient = null;
    }

    /// <summary>The sum of squares of the gradient as a 0-dim tensor on the parameter's device, in float64 if the device has it.</summary>
    public Tensor SumOfSquaresTensor()
    {
        var gradient = Gradient!.to(Wide);
        return gradient.mul(gradient).sum();
    }

    /// <summary>What <see cref="AdamKernel.Apply"/> does, for any device and dtype; the caller has a dispose scope and no_grad.</summary>
    public void ApplyTensors(AdamScalars scalars, in AdamStep step)
    {
        using Scalar scale = Scalars.New(step.GradientScale), correction = Scalars.New(1 / step.RootCorrection2),
            size = Scalars.New(-step.StepSize);
        var gradient = Gradient!.to(Average.dtype);
        if (step.GradientScale != 1) gradient = gradient.mul(scale);
        if (step.WeightDecay != 0) gradient = gradient.add(Parameter, WeightDecay);
        Average.mul_(scalars.Beta1).add_(gradient, scalars.Rest1);
        Square.mul_(scalars.Beta2).addcmul_(gradient, gradient, scalars.Rest2);
        Parameter.addcdiv_(Average, Square.sqrt().mul_(correction).add_(scalars.Epsilon, Scalars.One), size);
    }

    /// <summary>The norm of the gradient as a 0-dim tensor on the parameter's device, in float64 if the device has it.</summary>
    public Tensor NormTensor() => Gradient!.to(Wide).norm();

    // squares of float32 overflow from 1.8e19 on
    private ScalarType Wide => Parameter.device_type == DeviceType.MPS ? Average.dtype : ScalarType.Float64;

    /// <summary>As <see cref="ApplyTensors(AdamScalars, in AdamStep)"/>, clipped
    /// and let through by a gate: while it is closed nothing changes.</summary>
    public void ApplyTensors(AdamScalars scalars, in AdamStep step, StepGate gate)
    {
        var type = Average.dtype;
        using Scalar correction = Scalars.New(1 / step.RootCorrection2), size = Scalars.New(-step.StepSize);
        var gradient = Gradient!.to(type).div(gate.Divisor);
        if (step.WeightDecay != 0) gradient = gradient.add(Parameter, WeightDecay);
        // no number is infinite from here on, so that factors of 1 and 0 leave all as it is
        gradient = gate.Select(gradient);
        Average.mul_(gate.Factor(type, step.Beta1, 1)).add_(gradient, scalars.Rest1);
        Square.mul_(gate.Factor(type, step.Beta2, 1)).addcmul_(gradient, gradient, scalars.Rest2);
        Parameter.addcdiv_(Average.mul(gate.Factor(type, 1, 0)), Square.sqrt().mul_(correction).add_(scalars.Epsilon, Scalars.One), size);
    }

    /// <summary>Whether <see cref="AdamScript"/> takes the parameter.</summary>
    public bool CanScript { get; }

    /// <summary>The number of steps on the device, to be raised by one; counts the step here.</summary>
    public Tensor NextStep()
    {
        deviceSteps ??= zeros([], ScalarType.Float32, Parameter.device).DetachFromDisposeScope();
        if (Steps != countedSteps)
        {
            using Scalar steps = Scalars.New(Steps);
            deviceSteps.fill_(steps);
        }
        countedSteps = ++Steps;
        return deviceSteps;
    }

    /// <summary>The gradient in the layout of the parameter.</summary>
    public Tensor PlainGradient() => Gradient!.is_contiguous() ? Gradient : Gradient.contiguous();

    public static void Accumulate(Tensor total, Tensor part) => total.add_(part.to(total.device), Scalars.One);

    public void Dispose()
    {
        ReleaseGradient();
        Average.Dispose();
        Square.Dispose();
        deviceSteps?.Dispose();
    }

    // Strides of a gradient that a user has set, or that create_graph: true gave.
    private void* ContiguousGradient()
    {
        using var noGrad = no_grad();
        using var strided = Parameter.grad!;
        CheckDense(strided);
        Gradient = strided.contiguous().DetachFromDisposeScope();
        return KernelMemory.TryGet(Gradient.Handle, type, length, out var memory) ? memory : throw new InvalidOperationException(
            $"The gradient of '{Name}' is {Gradient.dtype} {EventShape.Format(Gradient.shape)} on {Gradient.device}; "
            + $"{type} {EventShape.Format(Parameter.shape)} on the CPU was expected. Leave gradients to backward().");
    }

    private void CheckDense(Tensor gradient)
    {
        if (gradient.is_sparse)
            throw new InvalidOperationException(
                $"The parameter '{Name}' has a sparse gradient. Make its layer give dense gradients (sparse: false).");
    }
}
