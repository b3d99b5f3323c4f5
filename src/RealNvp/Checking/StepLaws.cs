using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>A layer as a step of a chain: it runs so beside others, and alone in all that the other laws ask.</summary>
internal sealed unsafe class StepLaws(Subject subject, Recorder recorder) : Laws(subject, recorder)
{
    // what the steps before have added up
    private const float Before = 3.5f;

    public void Check(Probe probe)
    {
        if (Subject.Dtype != float32 || Subject.Device.type != DeviceType.CPU || Layer is not IJoinsChain || Layer.IsStochastic) return;
        if (probe.Input.dim() is not (2 or 4)) return;
        Recorder.Run(FlowLaw.StepAgrees, probe.Name, () => Agrees(probe));
    }

    private void Agrees(Probe probe)
    {
        var (input, context) = (Cast(probe.Input).contiguous(), probe.Context is null ? null : Cast(probe.Context).contiguous());
        var (leaf, given) = (input.detach().requires_grad_(true), context?.detach().requires_grad_(true));
        // one that wants a gradient may be why the layer runs alone
        var step = LayerChain.StepFor(Layer, leaf, Pass.Here(given), probe.Inverse);
        var wantsContext = step is not null && given is not null;
        step ??= LayerChain.StepFor(Layer, leaf, Pass.Here(context), probe.Inverse);
        if (step is null) return;
        var rows = checked((int)input.shape[0]);
        var tapeSize = step.TapeSize(rows);
        Recorder.Require(FlowLaw.StepAgrees, $"{probe.Name}, the tape", tapeSize is >= 0 and <= int.MaxValue,
            $"{nameof(ChainStep.TapeSize)} of {rows} rows is {tapeSize}; it must be 0 ... {int.MaxValue}.");
        if (tapeSize is < 0 or > int.MaxValue) return;

        Layer.zero_grad();
        var (value, logDet) = Subject.Run(leaf, wantsContext ? given : context, probe.Inverse);
        var (ofValue, ofLogDet) = (Waves(value.shape), Waves(logDet.shape));
        value.mul(ofValue).sum().add(logDet.mul(ofLogDet).sum(), Scalars.One).backward();

        // memory that holds no number until the step has written one
        using var gradients = no_grad();
        Tensor found = Unwritten(value.shape), sums = full([rows], Scalars.Of(Before)), tape = Unwritten([Math.Max(1, tapeSize)]);
        var weights = new ChainWeights(step.Weights.Count);
        for (var i = 0; i < step.Weights.Count; i++)
        {
            weights.From[i] = Pointer(step.Weights[i]);
            weights.Lengths[i] = checked((int)step.Weights[i].numel());
        }
        var (features, seen) = (checked((int)(input.numel() / rows)), context is null ? 0 : checked((int)context.shape[1]));
        var written = tapeSize == 0 ? default : new Span<float>(Pointer(tape), (int)tapeSize);
        step.Forward(new(rows, features, seen, Pointer(input), Pointer(context), Pointer(found), Pointer(sums), written, weights, 0,
            step.Weights.Count));
        Compare(probe, "the value", found, value);
        Compare(probe, "the log-determinant, added to what is there", sums.sub(Scalars.Of(Before)), logDet);

        Tensor ofInput = Unwritten(input.shape), ofContext = zeros_like(context ?? input, requires_grad: false);
        var ofWeights = new Tensor?[step.Weights.Count];
        for (var i = 0; i < ofWeights.Length; i++)
            if (step.Weights[i] is { requires_grad: true, is_leaf: true } weight)
                weights.To[i] = Pointer(ofWeights[i] = Unwritten(weight.shape));
        step.Backward(new(rows, features, seen, Pointer(input), Pointer(context), written, Pointer(ofValue), Pointer(ofLogDet),
            Pointer(ofInput), wantsContext ? Pointer(ofContext) : null, weights, 0, step.Weights.Count));
        Compare(probe, "the gradient of the input", ofInput, leaf.grad ?? zeros_like(input));
        if (wantsContext) Compare(probe, "the gradient of the context", ofContext, given!.grad ?? zeros_like(ofContext));
        for (var i = 0; i < ofWeights.Length; i++)
            if (ofWeights[i] is { } of)
                Compare(probe, $"the gradient of weight {i}", of, step.Weights[i].grad ?? zeros_like(of, requires_grad: false));

        // nobody wants one
        for (var i = 0; i < ofWeights.Length; i++) weights.To[i] = null;
        step.Backward(new(rows, features, seen, Pointer(input), Pointer(context), written, Pointer(ofValue), Pointer(ofLogDet), null, null,
            weights, 0, step.Weights.Count));
        Layer.zero_grad();
    }

    private void Compare(Probe probe, string what, Tensor found, Tensor expected) =>
        Recorder.Compare(FlowLaw.StepAgrees, $"{probe.Name}, {what}", Difference(found, expected), 10 * Tolerance * Scale(expected),
            $"The step gives another result than the layer alone: {what}.");

    private static Tensor Unwritten(long[] shape) => full(shape, Scalars.Of(float.NaN), ScalarType.Float32);

    private static Tensor Waves(long[] shape) =>
        Scalars.Range(shape.Aggregate(1L, (n, s) => n * s), CPU).to(ScalarType.Float32).add(Scalars.One, Scalars.One).sin().reshape(shape);

    private static float* Pointer(Tensor? tensor) => KernelMemory.Floats(tensor);
}
