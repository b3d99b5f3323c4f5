using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A network as one node of autograd. Its arguments are those of
/// <see cref="DenseTensors"/>, then the program, then whether there is a context.</summary>
internal sealed class DenseFunction : KernelFunction<DenseFunction>
{
    private const string ProgramKey = "program", ContextKey = "context";

    /// <summary>The network's output without a graph.</summary>
    public static unsafe Tensor Forward(DenseProgram program, DenseTensors tensors, Tensor? tape)
    {
        var output = empty([tensors.X.size(0), program.Outputs], ScalarType.Float32, tensors.X.device);
        DenseForward.Run(tensors.Call(), KernelMemory.Floats(tape), KernelMemory.Pointer<float>(output));
        return output;
    }

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.OfType<Tensor>().ToList();
        var program = (DenseProgram)arguments[^2];
        var hasContext = (bool)arguments[^1];
        var tape = empty([DenseForward.TapeSize(program, tensors[0].size(0))], ScalarType.Float32, tensors[0].device);
        var output = Forward(program, new DenseTensors(program, tensors, hasContext), tape);
        context.save_data(ProgramKey, program);
        context.save_data(ContextKey, hasContext);
        context.save_for_backward([.. tensors, tape]);
        return [output];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var program = (DenseProgram)context.get_data(ProgramKey);
        var saved = context.get_saved_variables();
        var tensors = new DenseTensors(program, saved.GetRange(0, saved.Count - 1), (bool)context.get_data(ContextKey));
        var results = is_grad_enabled() ? DenseReference.Gradients(program, tensors, gradients[0])
            : Gradients(tensors, saved, gradients[0]);
        return [.. results, null, null];
    }

    private static unsafe List<Tensor?> Gradients(DenseTensors tensors, List<Tensor> saved, Tensor gradient)
    {
        var to = tensors.Gradients(saved.GetRange(0, saved.Count - 1), out var results);
        using var dense = gradient.contiguous();
        DenseBackward.Run(tensors.Call(), KernelMemory.Pointer<float>(saved[^1]), KernelMemory.Pointer<float>(dense), to);
        return results;
    }
}
