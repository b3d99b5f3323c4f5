using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Operations of libtorch on lists of tensors, which TorchSharp does not bind, by way of TorchScript: on a GPU a whole step of Adam is a few
/// launches, and not ten for each parameter.
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


        """));

    /// <summary>The norm of all tensors together, without dimensions, in float64: squares of float32 would overflow from 1.8e19 on.</summary>
    public static Tensor Norm(Tensor[] gradients) => (Tensor)unit.Value.invoke("norm", [gradients]);

    /// <summary>One step for parameters of one group. Gradients are clipped in place.</summary>
    /// <param name="slots">The parameters, all with a gradient of their dtype and layout.</param>
    /// <param name="options">β₁, β₂ and ε.</param>
    /// <param name="rate">The learning rate of the group.</param>
    /// <param name="decay">λ of the group.</param>
    /// <param name="gate">What lets the step through, and clips.</param>
    public static void Step(AdamSlot[] slots, AdamOptions options, double rate, double decay, StepGate gate)
    {
        var steps = Array.ConvertAll(slots, slot => slot.NextStep());
        // a number would become a Scalar that the call does not keep alive
        using Scalar r = Scalars.New(rate), b1 = Scalars.New(options.Beta1), b2 = Scalars.New(options.Beta2), d = Scalars.New(decay), e = Scalars.New(options.Epsilon);
        unit.Value.invoke("step",
            Array.ConvertAll(slots, slot => (Tensor)slot.Parameter), Array.ConvertAll(slots, slot => slot.PlainGradient()),
            Array.ConvertAll(slots, slot => slot.Average), Array.ConvertAll(slots, slot => slot.Square), steps,
            gate.Factor(ScalarType.Float32, 1, 0), gate.Factor(ScalarType.Float32, 0, 1), gate.Divisor,
            r, b1, b2, d, e);
    }
}
