using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The gradient of x with x + g(x) = y, by the implicit function: from the residual r = y − x −
/// g(x), which is 0 and has a graph to y, the context and the weights, x has the gradient of (I +
/// J)⁻¹ r. Backward solves w + Jᵀw = v by w ← v − Jᵀw, which converges as the Neumann series does.
/// </summary>
internal sealed class ImplicitFunction : KernelFunction<ImplicitFunction>
{
    private const string NetworkKey = "network", BoundKey = "bound", ContextKey = "context";

    /// <summary>The root, with gradients. Arguments of the function: residual, root, context or nothing; network, bound.</summary>
    public static Tensor Of(Tensor residual, Tensor root, Tensor? context, nn.Module network, double lipschitz) =>
        Apply([residual, root, .. context is null ? (object[])[] : [context], network, lipschitz])[0];

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.OfType<Tensor>().ToList();
        context.save_data(NetworkKey, arguments[^2]);
        context.save_data(BoundKey, arguments[^1]);
        context.save_data(ContextKey, tensors.Count > 2);
        context.save_for_backward(tensors);
        return [tensors[1].clone()];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        if (is_grad_enabled())
            throw new NotSupportedException(
                "The inverse of a residual layer gives no gradients of gradients. Differentiate Forward, or leave create_graph out.");
        var saved = context.get_saved_variables();
        var given = (bool)context.get_data(ContextKey) ? saved[2].detach() : null;
        var (network, bound) = ((nn.Module)context.get_data(NetworkKey), (double)context.get_data(BoundKey));
        var w = Solve(NetworkCall.Of(network, isStep: false).At(saved[1].detach(), given), gradients[0], bound);
        return [w, .. Enumerable.Repeat<Tensor?>(null, given is null ? 3 : 4)];
    }

    private static Tensor Solve(Linearization at, Tensor v, double lipschitz)
    {
        // each step takes the error down by the Lipschitz constant: to the digits of the dtype
        var steps = (int)Math.Min(20_000, Math.Ceiling(Math.Log(finfo(v.dtype).eps) / Math.Log(lipschitz)));
        var w = v;
        for (var i = 0; i < steps; i++)
        {
            using var step = NewDisposeScope();
            var next = v.sub(at.Pull(w));
            var arrived = RootSearch.Asks(i, v) && !next.ne(w).any().Fetch<bool>();
            if (i > 0) w.Dispose();
            w = step.MoveToOuter(next);
            if (arrived) break;
        }
        return w;
    }
}
