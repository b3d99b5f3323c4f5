using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The features of a masked network one after the other, as
/// <see cref="DenseSequence"/> computes them. Without gradients.</summary>
/// <remarks>Its memory is that of tensors in the caller's scope.</remarks>
internal sealed unsafe class SequenceOperation
{
    private readonly DenseSequence sequence;
    private readonly long[] order;
    private readonly int rows;
    private readonly long perFeature;
    private readonly Tensor memory;

    /// <summary>Packs the weights for all steps.</summary>
    /// <param name="program">The network.</param>
    /// <param name="tensors">Any input of as many rows as are wanted, and the weights.</param>
    /// <param name="given">What the context adds to the first result, (N, hidden), or null.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="perFeature">The number of parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features: see <see cref="InputLimit"/>; null for all of them.</param>
    public SequenceOperation(DenseProgram program, DenseTensors tensors, Tensor? given, long[] order, long[] ends, long perFeature,
        double? limit)
    {
        (this.order, rows, this.perFeature) = (order, (int)tensors.X.size(0), perFeature);
        sequence = new DenseSequence(program, rows, order, ends, perFeature, limit, given is not null);
        memory = empty([sequence.Size], ScalarType.Float32, tensors.X.device);
        var context = given?.contiguous();
        sequence.Begin(KernelMemory.Pointer<float>(memory), tensors.Weights, tensors.Biases, KernelMemory.Floats(context));
        GC.KeepAlive(context);
    }

    /// <summary>Runs all steps; <paramref name="next"/> maps a feature's index and its
    /// parameters (N, P) to the feature (N, 1) and its log-derivative or null.</summary>
    public (Tensor Value, Tensor? LogDet) Run(Func<long, Tensor, (Tensor Value, Tensor? LogDerivative)> next)
    {
        var all = empty([rows, order.Length], ScalarType.Float32, CPU);
        Tensor? total = null;
        for (var step = 0; step < order.Length; step++)
        {
            using var inside = NewDisposeScope();
            var parameters = empty([rows, perFeature], ScalarType.Float32, CPU);
            sequence.Parameters(step, KernelMemory.Pointer<float>(parameters));
            var feature = order[step];
            var (value, logDerivative) = next(feature, parameters);
            all.narrow(1, feature, 1).copy_(value);
            sequence.Know(step, KernelMemory.Pointer<float>(all) + feature, order.Length);
            if (logDerivative is null) continue;
            var term = logDerivative.squeeze(1);
            total = inside.MoveToOuter(total is null ? term : total.add(term, Scalars.One));
        }
        GC.KeepAlive(memory);
        return (all, total);
    }
}
