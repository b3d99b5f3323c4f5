using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>What a node needs of its arguments in the backward pass. Weights are not saved one by one: the graph has them.</summary>
/// <remarks>
/// <para>Autograd saves a tensor by an object of its own, and TorchSharp by two more and a handle. But the node has an edge to each weight
/// that wants a gradient, and the end of that edge holds the weight (<c>AccumulateGrad::variable</c>) as long as the node lives, whatever
/// becomes of its managed object. So here it is noted where libtorch has it, and which version of it that was.</para>
/// <para>A weight that was changed in place in between is an error, as with autograd: the version is asked for by libtorch's own function,
/// which is tried once. If it is not there, and for all tensors but weights, autograd saves.</para>
/// </remarks>
internal sealed unsafe class SavedTensors
{
    private const string Key = "saved";

    private static readonly delegate* unmanaged[SuppressGCTransition]<IntPtr, long> version =
        (delegate* unmanaged[SuppressGCTransition]<IntPtr, long>)LibtorchFunction.Find("_ZNK2at10TensorBase8_versionEv");

    private static readonly delegate* unmanaged[SuppressGCTransition]<IntPtr, byte> isInference =
        (delegate* unmanaged[SuppressGCTransition]<IntPtr, byte>)LibtorchFunction.Find("_ZN2at6native12is_inferenceERKNS_6TensorE");

    private static readonly Lazy<bool> works = new(Try);

    private readonly long[] versions;

    private SavedTensors(int count) => (Weights, versions) = (new IntPtr[count], new long[count]);

    /// <summary>Whether weights are kept by their edges here.</summary>
    public static bool CanKeep => KernelSwitches.Leaves && version != null && isInference != null && works.Value;

    /// <summary>Where libtorch has each tensor; 0 for those that autograd has saved. The address of such a place is a handle.</summary>
    public IntPtr[] Weights { get; }

    /// <summary>Saves tensors for the backward pass of a node that has an edge to each of them that wants a gradient, and others.</summary>
    /// <param name="context">That of the node.</param>
    /// <param name="arguments">Tensors among the arguments of the node.</param>
    /// <param name="others">What else it needs.</param>
    public static void Save(autograd.AutogradContext context, IReadOnlyList<Tensor> arguments, params ReadOnlySpan<Tensor> others)
    {
        var saved = new SavedTensors(arguments.Count + others.Length);
        var rest = new List<Tensor>(saved.Weights.Length);
        var canKeep = CanKeep;
        for (var i = 0; i < arguments.Count; i++)
        {
            if (canKeep && LeafGradients.IsLeaf(arguments[i]) && isInference(arguments[i].Handle) == 0)
            {
                saved.Weights[i] = *(IntPtr*)arguments[i].Handle;
                saved.versions[i] = version(arguments[i].Handle);
            }
            else rest.Add(arguments[i]);
        }
        foreach (var other in others) rest.Add(other);
        context.save_data(Key, saved);
        context.save_for_backward(rest);
    }

    /// <summary>What <see cref="Save"/> got, for the backward pass that runs.</summary>
    public static SavedTensors Of(autograd.AutogradContext context) => (SavedTensors)context.get_data(Key);

    /// <summary>A handle of each tensor, first the arguments: valid as long as the places are fixed and the scope is open.</summary>
    /// <param name="context">That of the node.</param>
    /// <param name="weights">Where <see cref="Weights"/> are fixed.</param>
    /// <exception cref="InvalidOperationException">A weight was changed in place.</exception>
    /// <exception cref="System.Runtime.InteropServices.ExternalException">So was another tensor.</exception>
    public IntPtr[] Handles(autograd.AutogradContext context, IntPtr* weights)
    {
        var handles = new IntPtr[Weights.Length];
        var rest = context.get_saved_variables();
        for (int i = 0, next = 0; i < handles.Length; i++)
        {
            handles[i] = Weights[i] == 0 ? rest[next++].Handle : (IntPtr)(weights + i);
            if (Weights[i] != 0 && version(handles[i]) is var now && now != versions[i])
                throw new InvalidOperationException(
                    $"A weight of shape {EventShape.Format(KernelMemory.ShapeOf(handles[i]))}, needed for gradient computation, has been " +
                    $"modified by an inplace operation since the forward pass: its version is {now}, and was {versions[i]}. Change " +
                    $"weights after backward(), or compute the loss again.");
        }
        return handles;
    }

    /// <summary>Each tensor with its place in the graph, first the arguments, in the caller's dispose scope.</summary>
    /// <param name="context">That of the node.</param>
    public List<Tensor> Tensors(autograd.AutogradContext context)
    {
        fixed (IntPtr* weights = Weights)
        {
            Handles(context, weights);
            var rest = context.get_saved_variables();
            var all = new List<Tensor>(Weights.Length);
            for (int i = 0, next = 0; i < Weights.Length; i++)
                all.Add(Weights[i] == 0 ? rest[next++] : Tensor.UnsafeCreateTensor(KernelMemory.Alias((IntPtr)(weights + i))));
            return all;
        }
    }

    private static bool Try()
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        using var plain = inference_mode(false);
        var one = zeros(3);
        var place = *(IntPtr*)one.Handle;
        var before = version(one.Handle);
        one.zero_();
        var isKnown = version(one.Handle) == before + 1 && version((IntPtr)(&place)) == before + 1 && isInference(one.Handle) == 0
            && KernelMemory.FloatsOf((IntPtr)(&place)) == KernelMemory.FloatsOf(one.Handle);
        using var inference = inference_mode();
        return isKnown && isInference(zeros(3).Handle) == 1;
    }
}
