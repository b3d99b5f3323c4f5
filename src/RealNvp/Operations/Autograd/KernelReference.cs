using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Gradients of a kernel that have a graph of their own, by way of its reference in plain operations.</summary>
internal static class KernelReference
{
    /// <summary>
    /// The gradients of <paramref name="reference"/>'s outputs with respect to its inputs, null if an input asks for none. For
    /// <see cref="KernelFunction{T}.Differentiate"/> where gradients are on.
    /// </summary>
    /// <param name="reference">Computes the outputs of the kernel from its inputs.</param>
    /// <param name="inputs">The saved inputs, with their place in the caller's graph.</param>
    /// <param name="gradients">One for each output.</param>
    public static List<Tensor?> Differentiate(Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> reference, IReadOnlyList<Tensor> inputs,
        IReadOnlyList<Tensor> gradients)
    {
        // one input may depend on another in the caller's graph: views of them end the search for paths here
        var views = inputs.Select(i => i.requires_grad ? i.view_as(i) : i).ToArray();
        var outputs = reference(views).Zip(gradients).Where(p => p.First.requires_grad).ToArray();
        var wanted = views.Where(v => v.requires_grad).ToArray();
        var result = new Tensor?[inputs.Count];
        if (outputs.Length == 0 || wanted.Length == 0) return [.. result];
        // a grad that fails ends the process: each input asks for a gradient, and one that has none may
#pragma warning disable RS0030
        var found = autograd.grad([.. outputs.Select(o => o.First)], wanted, [.. outputs.Select(o => o.Second)], retain_graph: true,
            create_graph: true, allow_unused: true);
#pragma warning restore RS0030
        for (int i = 0, next = 0; i < views.Length; i++)
        {
            if (!views[i].requires_grad) continue;
            var gradient = found[next++];
            if (!gradient.IsInvalid) result[i] = gradient;
        }
        return [.. result];
    }
}
