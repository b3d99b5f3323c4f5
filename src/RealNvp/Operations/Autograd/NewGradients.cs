using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Memory for the gradients of a node, without a managed object for those that become the gradients of weights.</summary>
internal sealed unsafe class NewGradients : IDisposable
{
    private readonly IntPtr[] made;

    /// <summary>Makes a tensor of float32 numbers like each of some tensors that wants a gradient.</summary>
    /// <param name="tensors">Handles.</param>
    /// <exception cref="System.Runtime.InteropServices.ExternalException">There is no memory for them.</exception>
    public NewGradients(ReadOnlySpan<IntPtr> tensors)
    {
        made = new IntPtr[tensors.Length];
        try
        {
            for (var i = 0; i < made.Length; i++)
                if (KernelMemory.WantsGradient(tensors[i])) made[i] = KernelMemory.NewFloatsLike(tensors[i]);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where a gradient goes; null if none is wanted.</summary>
    public float* this[int index] => KernelMemory.FloatsOf(made[index]);

    /// <summary>Gives gradients to leaves, and returns the others; null if there is none, or a leaf has it. Once.</summary>
    /// <param name="leaves">For each gradient its leaf or something else; null if all gradients are autograd's.</param>
    public List<Tensor?> Give(object?[]? leaves)
    {
        var rest = new List<Tensor?>(made.Length + 2);
        for (var i = 0; i < made.Length; i++)
        {
            var gradient = made[i];
            made[i] = 0;
            if (gradient != 0 && leaves?[i] is Tensor leaf && LeafGradients.Take(leaf, gradient))
            {
                KernelMemory.Release(gradient);
                gradient = 0;
            }
            rest.Add(gradient == 0 ? null : Tensor.UnsafeCreateTensor(gradient));
        }
        return rest;
    }

    /// <summary>Frees what nobody has taken.</summary>
    public void Dispose()
    {
        foreach (ref var gradient in made.AsSpan())
        {
            if (gradient != 0) KernelMemory.Release(gradient);
            gradient = 0;
        }
    }
}
