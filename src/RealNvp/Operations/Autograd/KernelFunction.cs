using System.Runtime.ExceptionServices;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A custom autograd function on the CPU whose backward cannot end the process.</summary>
/// <remarks>
/// <para>An exception that leaves a custom backward ends the process without a word. Here it is kept:
/// the gradients of that call are NaN, so that nobody trains on wrong ones, and
/// <see cref="KernelFault.Throw"/> throws it at the trainer's next line or at the next kernel.</para>
/// <para>On the CPU autograd runs a backward on the thread that calls it, for a GPU on a thread of its own.
/// The fault is kept for both: the thread that made the graph, and the one that ran the backward.</para>
/// </remarks>
internal abstract class KernelFunction<T> : autograd.MultiTensorFunction<T> where T : KernelFunction<T>, new()
{
    private const int SmallOutput = 1 << 18;
    private const string WantedKey = "wanted", FaultsKey = "faults";

    /// <inheritdoc/>
    public override string Name => typeof(T).Name;

    /// <summary>
    /// The outputs. Runs without gradients. Save the tensor arguments in the context, first and in their order, then what else
    /// <see cref="Differentiate"/> needs, or do it by <see cref="SavedTensors"/>; arguments that are no tensors come last, and go through
    /// <c>save_data</c>.
    /// </summary>
    protected abstract List<Tensor> Compute(autograd.AutogradContext context, object[] arguments);

    /// <summary>
    /// The gradients, one for each argument of <see cref="Compute"/>, null if there is none. Gradients are on exactly where the caller
    /// asked for a graph of the gradients: compute them with plain tensors then.
    /// </summary>
    protected abstract List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients);

    /// <summary>Whether <see cref="Differentiate"/> makes tensors that outlive it
    /// beside those that it returns; it then frees all others itself.</summary>
    protected virtual bool KeepsTensors => false;

    /// <summary>Whether the gradients of <see cref="Differentiate"/> are new tensors, which nobody else has and of which none is a part of
    /// another one, so that they may become those of weights as they are.</summary>
    protected virtual bool OwnsGradients => false;

    /// <summary>For each argument itself, if it is a weight that wants a gradient, if the pass that runs gives all these their
    /// gradients, so that <see cref="LeafGradients.Take(Tensor, IntPtr)"/> may do it; null if autograd has to.</summary>
    private protected static object?[]? Leaves(autograd.AutogradContext context) =>
        LeafGradients.CanTake && LeafGradients.IsPlain ? (object?[])context.get_data(WantedKey) : null;

    /// <summary>
    /// Hands results without a gradient, such as the statistics of a batch, from <see cref="Compute"/> to the caller of
    /// <see cref="Apply"/>, who gets them after the outputs. They are no outputs of the node: TorchSharp's <c>mark_non_differentiable</c>
    /// hands libtorch an array of handles that is no longer pinned, and the process ends when the collector moves it.
    /// </summary>
    protected static void Beside(params Tensor[] results) => beside = results;

    /// <summary>Runs the function and makes its node; the outputs are the caller's.</summary>
    public static List<Tensor> Apply(params object[] arguments)
    {
        using var scope = NewDisposeScope();
        var results = apply(arguments);
        if (beside is { } more) results.AddRange(more);
        beside = null;
        foreach (var result in results) scope.MoveToOuter(result);
        // the node owns a tensor like each output, for the gradients that it may not get: it must outlive this scope, and not only this one
        foreach (var owned in scope.DisposablesView.ToArray())
            if (owned is Tensor tensor && !made!.Contains(tensor)) scope.Detach(Shrink(tensor));
        made = null;
        return results;
    }

    // that tensor is only ever asked for its shape, and would hold as much memory as the output for as long as the graph lives
    private static Tensor Shrink(Tensor like)
    {
        if (like.numel() < SmallOutput) return like;
        using var one = zeros(1, dtype: like.dtype, device: like.device);
        using var all = one.expand(like.shape);
        using var same = like.set_(all);
        return like;
    }

    // what the forward on this thread made last: outputs, and what it saved, which the node takes over when forward has returned
    [ThreadStatic] private static HashSet<object>? made;

    [ThreadStatic] private static Tensor[]? beside;

    /// <inheritdoc/>
    public sealed override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
    {
        KernelFault.Throw();
        ctx.save_data(WantedKey, Array.ConvertAll(vars, Wanted));
        ctx.save_data(FaultsKey, KernelFault.Here);
        // libtorch is asked whether it answers here: within a backward pass it cannot be
        if (OwnsGradients) _ = LeafGradients.CanTake;
        beside = null;
        using var scope = NewDisposeScope();
        var outputs = Compute(ctx, vars);
        var all = scope.DisposablesView.ToArray();
        made = new HashSet<object>(all, ReferenceEqualityComparer.Instance);
        foreach (var one in all)
            if (one is Tensor tensor) scope.MoveToOuter(tensor);
        return outputs;
    }

    /// <inheritdoc/>
    public sealed override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        // autograd has taken over what the call before this one returned
        foreach (var past in returned ??= []) past.Dispose();
        returned.Clear();
        using var scope = KeepsTensors ? null : NewDisposeScope();
        var results = Gradients(ctx, grad_outputs);
        if (OwnsGradients && Leaves(ctx) is { } leaves) LeafGradients.Take(leaves, results);
        foreach (var result in results)
        {
            if (result is null) continue;
            if (scope?.Contains(result) == true) scope.MoveToOuter(result);
            returned.Add(result);
        }
        foreach (var gradient in grad_outputs)
            if (!results.Any(r => ReferenceEquals(r, gradient))) gradient.Dispose();   // Contains would compare their numbers
        return results!;
    }

    // A gradient lives as long as its managed object, which the scope around a
    // whole training step would keep to its end: all gradients of all
    // layers at once.
    [ThreadStatic] private static List<Tensor>? returned;

    private List<Tensor?> Gradients(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        try { return Differentiate(ctx, grad_outputs); }
        catch (Exception error)
        {
            KernelFault.Keep(error, (KernelFault)ctx.get_data(FaultsKey));
            return [.. ((object?[])ctx.get_data(WantedKey)).Select(w => Nan(w, grad_outputs[0]))];
        }
    }

    // What an argument asks for: a leaf itself; the shape of what an operation has made; null for what wants no gradient. Saved tensors
    // cannot say it when it is needed: one that was changed in place is not given out, and autograd.grad ends the process if a gradient
    // that it was asked for is not there.
    private static object? Wanted(object argument)
    {
        if (argument is not Tensor tensor || !KernelMemory.WantsGradient(tensor.Handle)) return null;
        if (LeafGradients.IsLeaf(tensor)) return tensor;
        return KernelMemory.ShapeOf(tensor.Handle);   // as one value of two types it would become a tensor of numbers
    }

    private static Tensor? Nan(object? wanted, Tensor like)
    {
        var shape = wanted is Tensor leaf ? leaf.IsInvalid ? null : leaf.shape : (long[]?)wanted;
        return shape is null ? null : full(shape, Scalars.Of(float.NaN), like.dtype, like.device);
    }
}
