using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Operations of libtorch on lists of tensors, which TorchSharp does not bind, by way of
/// TorchScript: on a GPU a whole step of Adam is a few launches, and not ten for each parameter.
/// </summary>
internal static class AdamScript
{
    // the functions that PyTorch's own Adam(fused=True) calls; found_inf keeps all as it is, on the device
    // dtype=7 is float64, which has no name in a script
    private static readonly Lazy<jit.CompilationUnit> unit = new(() => jit.compile(
        """
        def norm(gradients: List[Tensor]):
            return torch.linalg_vector_norm(torch.stack(torch._foreach_norm(gradients, 2, dtype=7)))

        def step(parameters: List[Tensor], gradients: List[Tensor], averages: List[Tensor], squares: List[Tensor], steps: List[Tensor], opened: Tensor, closed: Tensor, divisor: Tensor, rate: float, beta1: float, beta2: float, decay: float, epsilon: float):
            torch._foreach_add_(steps, opened)
            torch._fused_adam_(parameters, gradients, averages, squares, [], steps, lr=rate, beta1=beta1, beta2=beta2, weight_decay=decay, eps=epsilon, amsgrad=False, maximize=False, grad_scale=divisor, found_inf=closed)
            return opened

        def divide(gradients: List[Tensor], divisor: Tensor):
            return torch._foreach_div(gradients, divisor)

        def average(averages: List[Tensor], values: List[Tensor], opened: Tensor, share: float):
            steps = torch._foreach_sub(values, averages)
            torch._foreach_mul_(steps, opened.to(steps[0].dtype) * share)
            torch._foreach_add_(averages, steps)
            return opened

        """));

    /// <summary>The norm of all tensors together, without dimensions, in
    /// float64: squares of float32 would overflow from 1.8e19 on.</summary>
    public static Tensor Norm(Tensor[] gradients) => (Tensor)unit.Value.invoke("norm", [gradients]);

    /// <summary>One step for parameters of one group.</summary>
    /// <param name="slots">The parameters, all with a gradient of their dtype and layout.</param>
    /// <param name="options">β₁, β₂ and ε.</param>
    /// <param name="rate">The learning rate of the group.</param>
    /// <param name="decay">λ of the group.</param>
    /// <param name="gate">What lets the step through, and clips.</param>
    /// <param name="keepGradients">Whether gradients stay as they are, for the price of a copy; else they are clipped in place.</param>
    public static void Step(AdamSlot[] slots, AdamOptions options, double rate, double decay, StepGate gate, bool keepGradients)
    {
        var (gradients, divisor) = (Array.ConvertAll(slots, slot => slot.PlainGradient()), gate.Divisor);
        if (keepGradients)
            (gradients, divisor) = ((Tensor[])unit.Value.invoke("divide", [gradients, divisor]), gate.Factor(ScalarType.Float32, 1, 1));

        var steps = Array.ConvertAll(slots, slot => slot.NextStep());
        // a number would become a Scalar that the call does not keep alive
        using Scalar r = Scalars.New(rate), b1 = Scalars.New(options.Beta1), b2 = Scalars.New(options.Beta2), d = Scalars.New(decay),
            e = Scalars.New(options.Epsilon);
        unit.Value.invoke("step",
            Array.ConvertAll(slots, slot => (Tensor)slot.Parameter), gradients,
            Array.ConvertAll(slots, slot => slot.Average), Array.ConvertAll(slots, slot => slot.Square), steps,
            gate.Factor(ScalarType.Float32, 1, 0), gate.Factor(ScalarType.Float32, 0, 1), divisor,
            r, b1, b2, d, e);
    }

    /// <summary>averages += share (values − averages), if the gate is open; all of one dtype, and finite.</summary>
    public static void Average(Tensor[] averages, Tensor[] values, double share, StepGate? gate)
    {
        using var scope = NewDisposeScope();
        using Scalar part = Scalars.New(share);
        var opened = gate?.Factor(ScalarType.Float32, 1, 0) ?? ones([], ScalarType.Float32, averages[0].device);
        unit.Value.invoke("average", averages, values, opened, part);
    }
}
