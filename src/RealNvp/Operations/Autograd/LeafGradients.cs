using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Gives gradients to the leaves of a graph themselves, in place of autograd, when autograd would do just that.</summary>
/// <remarks>
/// <para>Autograd takes a new gradient over only if nobody else holds it. A handle of TorchSharp's always does, so it copies each gradient,
/// by three operations of libtorch: a twelfth of a training step of a small flow.</para>
/// <para>What autograd would do is known if the pass is a plain <c>backward()</c>, without a graph of the gradients. With
/// <c>autograd.grad</c>, and with <c>backward</c> for some inputs, gradients go elsewhere; libtorch is asked whether the pass that runs has
/// such a choice. That question is no part of TorchSharp's interface: it is a function of libtorch's own, and what it gives is a map of the
/// C++ library, of which the number of entries is read. So it is tried once, on a graph of one node, by both ways; if it is not there or
/// does not answer as expected (Windows, another libtorch), all gradients go through autograd.</para>
/// </remarks>
internal static unsafe class LeafGradients
{
    // torch::autograd::get_current_graph_task_exec_info(): null if no pass runs on this thread
    private const string Question = "_ZN5torch8autograd32get_current_graph_task_exec_infoEv";

    // std::unordered_map of libstdc++ and of libc++: two words for the buckets, one for the first entry, then the number of entries
    private const int CountOffset = 3 * sizeof(long);

    // autograd has a lock for each leaf
    private static readonly Lock gate = new();
    private static readonly delegate* unmanaged[SuppressGCTransition]<byte*> question =
        (delegate* unmanaged[SuppressGCTransition]<byte*>)LibtorchFunction.Find(Question);
    private static readonly Lazy<bool> works = new(Try);

    /// <summary>Whether it is on here, and libtorch answers.</summary>
    public static bool CanTake => KernelSwitches.Leaves && question != null && works.Value;

    /// <summary>Whether the backward pass that runs on this thread gives each leaf its gradient, and makes no graph of it.</summary>
    public static bool IsPlain => Entries() == 0 && !is_grad_enabled();

    /// <summary>Whether the gradient of a tensor is kept in it: nothing has made it, and it wants one.</summary>
    public static bool IsLeaf(Tensor tensor) =>
        tensor.Handle is var handle && KernelMemory.WantsGradient(handle) && KernelMemory.IsLeaf(handle);

    /// <summary>Makes gradients those of leaves that have none yet, and takes them off the list; autograd adds up the rest.</summary>
    /// <param name="leaves">For each gradient its leaf, or something else if it goes to autograd.</param>
    /// <param name="gradients">Gradients that nobody else has, each of the shape and dtype of its leaf; null if there is none.</param>
    public static void Take(object?[] leaves, List<Tensor?> gradients)
    {
        lock (gate)
        {
            for (var i = 0; i < Math.Min(leaves.Length, gradients.Count); i++)
            {
                if (leaves[i] is Tensor leaf && gradients[i] is { } gradient && Takes(leaf)
                        && KernelMemory.SetGradient(leaf.Handle, gradient.Handle))
                {
                    gradients[i] = null;
                    gradient.Dispose();
                }
            }
        }
    }

    /// <summary>Makes a gradient that of a leaf that has none yet; false if autograd has to add it.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <param name="gradient">A handle of a gradient as of <see cref="Take(object?[], List{Tensor?})"/>, which stays the caller's.</param>
    public static bool Take(Tensor leaf, IntPtr gradient)
    {
        lock (gate) return Takes(leaf) && KernelMemory.SetGradient(leaf.Handle, gradient);
    }

    // a module that was disposed since the forward pass has no weights to give gradients to, and one that was frozen wants none
    private static bool Takes(Tensor leaf) => !leaf.IsInvalid && KernelMemory.WantsGradient(leaf.Handle);

    // -1: no pass runs
    private static long Entries() => question() is var map && map == null ? -1 : *(long*)(map + CountOffset);

    private static bool Try()
    {
        if (Entries() != -1) return false;
        using var scope = NewDisposeScope();
        using var on = enable_grad();
        var leaf = ones(1, requires_grad: true);
        var (plain, chosen) = (new Answer(), new Answer());
        Asking.apply(leaf, plain).backward();
        autograd.backward([Asking.apply(leaf, chosen)], [ones(1)], inputs: [leaf]);
        return plain.Entries == 0 && chosen.Entries > 0;
    }

    private sealed class Answer
    {
        public long? Entries { get; set; }
    }

    // the identity; notes what the question answers in its backward pass
    private sealed class Asking : autograd.SingleTensorFunction<Asking>
    {
        private const string AnswerKey = "answer";

        public override string Name => nameof(Asking);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_data(AnswerKey, vars[1]);
            return ((Tensor)vars[0]).alias();
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            ((Answer)ctx.get_data(AnswerKey)).Entries = Entries();
            return [grad_output, null!];
        }
    }
}
