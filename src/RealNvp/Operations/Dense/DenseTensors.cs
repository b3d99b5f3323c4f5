using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The tensors of one call of a network, in the order in which autograd gets them.</summary>
internal sealed class DenseTensors
{
    private readonly DenseProgram program;
    private readonly IReadOnlyList<Tensor> all;

    /// <param name="program">The network.</param>
    /// <param name="all">x; context and its weight, if there is one; weight and
    /// bias of each layer; mask of each layer, where there are masks.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    public DenseTensors(DenseProgram program, IReadOnlyList<Tensor> all, bool hasContext)
    {
        (this.program, this.all, HasContext) = (program, all, hasContext);
        First = hasContext ? 3 : 1;
        HasMasks = all.Count > First + (2 * program.Layers.Count);
        Masks = First + (2 * program.Layers.Count);
    }

    public bool HasContext { get; }

    public bool HasMasks { get; }

    /// <summary>The index of the first weight.</summary>
    public int First { get; }

    /// <summary>The index of the first mask.</summary>
    public int Masks { get; }

    public Tensor X => all[0];

    public Tensor? Context => HasContext ? all[1] : null;

    public Tensor? ContextWeight => HasContext ? all[2] : null;

    public Tensor Weight(int layer) => all[First + (2 * layer)];

    public Tensor Bias(int layer) => all[First + (2 * layer) + 1];

    public Tensor? Mask(int layer) => HasMasks ? all[Masks + layer] : null;

    /// <summary>Where the numbers of the call are.</summary>
    public unsafe DenseCall Call() => new(program, checked((int)X.size(0)))
    {
        X = KernelMemory.Pointer<float>(X),
        XStride = (nint)X.stride(0),
        Context = KernelMemory.Floats(Context),
        ContextStride = Context is { } context ? (nint)context.stride(0) : 0,
        ContextWeight = KernelMemory.Floats(ContextWeight),
        Weights = Weights,
        Biases = Biases,
        Masks = HasMasks ? Pointers(all, Masks, 1) : new float*[program.Layers.Count],
    };

    /// <summary>Where the gradients go: to new tensors, for those of the call that want one.</summary>
    /// <param name="all">The tensors of the call in their order, and what follows them.</param>
    /// <param name="results">Gets a tensor for each of them, or null.</param>
    public unsafe DenseGradients Gradients(IReadOnlyList<Tensor> all, out List<Tensor?> results)
    {
        var to = all.Select(t => t.requires_grad ? empty(t.shape, ScalarType.Float32, t.device) : null).ToList();
        results = to;
        return new(program.Layers.Count)
        {
            X = KernelMemory.Floats(to[0]),
            Context = HasContext ? KernelMemory.Floats(to[1]) : null,
            ContextWeight = HasContext ? KernelMemory.Floats(to[2]) : null,
            Weights = Pointers(to, First, 2),
            Biases = Pointers(to, First + 1, 2),
        };
    }

    /// <summary>The first numbers of the weights.</summary>
    public unsafe float*[] Weights => Pointers(all, First, 2);

    /// <summary>The first numbers of the biases.</summary>
    public unsafe float*[] Biases => Pointers(all, First + 1, 2);

    // of a tensor of each layer
    private unsafe float*[] Pointers(IReadOnlyList<Tensor?> of, int first, int apart)
    {
        var pointers = new float*[program.Layers.Count];
        for (var i = 0; i < pointers.Length; i++) pointers[i] = KernelMemory.Floats(of[first + (apart * i)]);
        return pointers;
    }
}
