using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A coupling of vectors, or an autoregressive layer forward, as a step of a chain.</summary>
internal sealed unsafe class CouplingStep : ChainStep
{
    private readonly CouplingPlan plan;
    private readonly List<Tensor> weights;
    private readonly bool hasContext, takesContext, inverse;

    // the numbers of the weight of the map, which may be disposed before the backward pass as the other weights may
    private readonly int mapNumbers;

    /// <summary>Describes the step of one call.</summary>
    /// <param name="plan">The layer.</param>
    /// <param name="weights">The tensors of <see cref="DenseTensors"/> but the input and, if the step takes that of the chain, the
    /// context; then the weight of the map, if it has one.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="takesContext">Whether it is that of the chain, and not the first of the weights.</param>
    /// <param name="inverse">The direction.</param>
    public CouplingStep(CouplingPlan plan, List<Tensor> weights, bool hasContext, bool takesContext, bool inverse)
    {
        (this.plan, this.weights, this.hasContext, this.takesContext, this.inverse) = (plan, weights, hasContext, takesContext, inverse);
        mapNumbers = plan.Map.HasWeight ? (int)weights[^1].numel() : 0;
    }

    public override IReadOnlyList<Tensor> Weights => weights;

    public override long TapeSize(int rows) => Net(rows) + (takesContext ? (long)rows * Program.Context : 0);

    public override void Forward(in ChainRows rows)
    {
        var pointers = new float*[weights.Count];
        for (var i = 0; i < pointers.Length; i++) pointers[i] = rows.WeightAt(i);
        fixed (float* tape = rows.Tape)
            CouplingForward.Run(Call(pointers, rows.Count, (float*)rows.InputAt, (float*)rows.ContextAt), tape, (float*)rows.ValueAt,
                (float*)rows.LogDetAt, adds: true);
    }

    public override void Backward(in ChainGradients rows)
    {
        float*[] pointers = new float*[weights.Count], gradients = new float*[weights.Count];
        for (var i = 0; i < pointers.Length; i++)
        {
            pointers[i] = rows.WeightAt(i);
            gradients[i] = rows.OfWeightAt(i);
        }
        var ofContext = takesContext ? (float*)rows.OfContextAt : null;
        var columns = plan.Shape.Columns;
        var ofWeight = stackalloc float[columns];
        fixed (float* tape = rows.Tape)
        {
            // the kernel writes the gradient of the context, and the chain adds
            var written = ofContext == null ? null : tape + Net(rows.Count);
            var to = new DenseGradients(Program.Layers.Count)
            {
                X = (float*)rows.OfInputAt,
                Context = written,
                ContextWeight = hasContext ? gradients[First - 1] : null,
                Weights = Pick(gradients, First, 2),
                Biases = Pick(gradients, First + 1, 2),
            };
            if (plan.Map.HasWeight && gradients[^1] != null)
            {
                to.After = ofWeight;
                to.AfterCount = columns;
            }
            CouplingBackward.Run(Call(pointers, rows.Count, (float*)rows.InputAt, (float*)rows.ContextAt), tape, (float*)rows.OfValueAt,
                (float*)rows.OfLogDetAt, 1, to);
            if (to.After != null) CouplingFunction.WriteWeight(ofWeight, columns, rows.OfWeight(weights.Count - 1));
            if (written == null) return;
            var sum = rows.OfContext;
            for (var i = 0; i < sum.Length; i++) sum[i] += written[i];
        }
    }

    public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights) =>
        plan.Reference([input, .. takesContext ? [context!] : (Tensor[])[], .. weights], hasContext, inverse);

    private DenseProgram Program => plan.Shape.Program;

    // the place of the first layer's weight: behind the context, if that is here, and its weight
    private int First => hasContext ? takesContext ? 1 : 2 : 0;

    private long Net(int rows) => CouplingForward.TapeSize(Program, rows);

    private CouplingCall Call(float*[] pointers, int rows, float* input, float* context)
    {
        var layers = Program.Layers.Count;
        var masks = First + (2 * layers);
        var map = plan.Map.HasWeight ? 1 : 0;
        var net = new DenseCall(Program, rows)
        {
            X = input,
            XStride = plan.Shape.Features,
            Context = !hasContext ? null : takesContext ? context : pointers[0],
            ContextStride = Program.Context,
            ContextWeight = hasContext ? pointers[First - 1] : null,
            Weights = Pick(pointers, First, 2),
            Biases = Pick(pointers, First + 1, 2),
            Masks = pointers.Length - map > masks ? Pick(pointers, masks, 1) : new float*[layers],
        };
        return new(plan.Shape, net, inverse, map > 0 ? pointers[^1] : null, mapNumbers);
    }

    private float*[] Pick(float*[] all, int first, int apart)
    {
        var picked = new float*[Program.Layers.Count];
        for (var i = 0; i < picked.Length; i++) picked[i] = all[first + (apart * i)];
        return picked;
    }
}
