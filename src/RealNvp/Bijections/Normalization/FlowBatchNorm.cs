using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Batch normalization as a bijection: z = (x - μ)/√(σ² + ε) for each channel or feature; log|det| = -½ Σ log(σ² + ε) over the
/// elements that it normalizes (Real NVP, arXiv 1605.08803, section 3.7 and appendix E).
/// </summary>
/// <remarks>
/// <para>In training, μ and σ² are running averages that already contain the current batch; gradients flow through the batch's
/// share of them (appendix E). In evaluation they are constants, and no example sees another one.</para>
/// <para>The inverse uses the running averages in both modes, and never changes them: after a training pass it inverts that pass.
/// In training the examples of a batch influence each other; in evaluation they do not.</para>
/// <para>State-dict keys: <c>running_mean</c>, <c>running_var</c> (C),
/// <c>num_batches_tracked</c>. A new layer has mean 0 and variance 1.</para>
/// </remarks>
public sealed partial class FlowBatchNorm : Bijection, IStateLaws, ISumsBatch
{
    // statistics before and after a pass, for reversible training
    private const int OnTape = 5;

    private readonly Tensor running_mean, running_var, num_batches_tracked;
    private readonly Partition? partition;
    private readonly Constant? elements;
    private readonly Scalar epsilon;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">[C, H, W] or [D]; sizes may be -1 except the first.</param>
    /// <param name="mask">The mask of the coupling before this layer: what it
    /// keeps is neither counted nor changed. Null normalizes all.</param>
    /// <param name="momentum">ρ, the weight of the past in the running averages, in [0, 1). 0 uses the current batch alone.</param>
    /// <param name="eps">ε, added to the variance; positive.</param>
    public FlowBatchNorm(EventShape inputShape, Mask? mask = null, double momentum = 0.9, double eps = 1e-5)
        : base(nameof(FlowBatchNorm), inputShape)
    {
        if (inputShape.Count == 0 || inputShape[0] == -1)
            throw new ArgumentException($"Batch normalization needs the number of channels or features; got {inputShape}.",
                nameof(inputShape));
        Ranges.Momentum.Require(momentum, nameof(momentum), "The momentum");
        Ranges.BatchNormEpsilon.Require(eps, nameof(eps), "Epsilon");
        (Momentum, Eps) = (momentum, eps);
        partition = mask is null ? null : Partition.Of(inputShape, mask, AddConstant);
        var channels = partition?.ChangedShape[0] ?? inputShape[0];
        epsilon = Scalars.Of(eps);
        if (partition is DensePartition)
        {
            // the elements of each channel that change; spatial sizes that the shape leaves open are the mask's
            var pixels = inputShape.Skip(1).Select((s, i) => s == -1 ? mask!.Shape[^(inputShape.Count - 1 - i)]
                : s).Aggregate(1L, (n, s) => n * s);
            elements = AddConstant(tensor([.. Enumerable.Range(0, (int)channels)
                .Select(c => Math.Round(pixels * Changing(mask!, inputShape.Count, c)))], dtype: get_default_dtype(), device: CPU));
        }
        Weights.Pay((2 * channels) + 1, 3);
        running_mean = Weights.Buffer(zeros(channels));
        running_var = Weights.Buffer(ones(channels));
        num_batches_tracked = Weights.Buffer(zeros([], ScalarType.Int64));
        RegisterComponents();
    }

    /// <summary>ρ, the weight of the past in the running averages.</summary>
    public double Momentum { get; }

    /// <summary>ε, added to the variance.</summary>
    public double Eps { get; }

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return BufferLaws.RunningStatistics(state);
    }

    /// <inheritdoc/>
    public override bool MixesBatchInTraining => true;

    /// <inheritdoc/>
    // forward, the statistics after the pass undo it; in the other direction, Forward would take those of another batch
    protected internal override bool KeepsInput(bool inverse) => inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var part = partition?.Changed(x) ?? x;
        var (mean, variance) = training && x.shape[0] > 0 ? Track(part, pass.Tape) : (running_mean, running_var);
        return Finish(x, part, mean, variance.add(epsilon, Scalars.One).log().mul(Scalars.MinusHalf), inverse: false);
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var (mean, variance) = training ? Tracked(pass.Tape) : (running_mean, running_var);
        return Finish(z, partition?.Changed(z) ?? z, mean, variance.add(epsilon, Scalars.One).log().mul(Scalars.Half), inverse: true);
    }

    private (Tensor Mean, Tensor Variance) Track(Tensor part, PassTape? tape)
    {
        var several = RowShare.Rows(part.shape[0]) * (part.numel() / part.shape[0] / part.shape[1]) > 1;
        var moments = RunningMoments.Of(part, partition?.Changes);
        if (tape is { IsReplaying: true })
        {
            var before = tape.Read(this, OnTape);
            return RunningMoments.Update(moments, before[0].clone(), before[1].clone(), before[2].clone(), Momentum, several);
        }
        var (mean, variance, batches) = tape is null ? default : (running_mean.clone(), running_var.clone(), num_batches_tracked.clone());
        var result = RunningMoments.Update(moments, running_mean, running_var, num_batches_tracked, Momentum, several);
        tape?.Write(this, mean!, variance!, batches!, running_mean.clone(), running_var.clone());
        return result;
    }

    // the part of a channel that changes: a mask without channels is the same for all, and one of few pixels is repeated
    private static double Changing(Mask mask, int dimensions, int channel)
    {
        var inner = mask.Shape.Count == dimensions ? mask.Kept.Length / (int)mask.Shape[0] : mask.Kept.Length;
        var at = mask.Shape.Count == dimensions && mask.Shape[0] > 1 ? channel * inner : 0;
        return mask.Kept.Slice(at, inner).Count(false) / (double)inner;
    }

    // what the inverse of a training pass uses
    private (Tensor Mean, Tensor Variance) Tracked(PassTape? tape)
    {
        if (tape is { IsReplaying: true } && tape.Read(this, OnTape, fromEnd: true) is [_, _, _, var mean, var variance])
            return (mean, variance);
        tape?.Write(this, running_mean.clone(), running_var.clone(), num_batches_tracked.clone(), running_mean.clone(),
            running_var.clone());
        return (running_mean, running_var);
    }

    // (x − μ)·a, or x·a + μ for the inverse: the difference has all digits if x is far from 0 beside its spread, where x·a − μ·a has not
    private (Tensor, Tensor?) Finish(Tensor input, Tensor part, Tensor mean, Tensor logScale, bool inverse)
    {
        var dimensions = input.dim();
        var (a, centre) = (RunningMoments.PerChannel(logScale.exp(), dimensions), RunningMoments.PerChannel(mean, dimensions));
        if (partition?.Changes is { } changes)
        {
            // kept elements: factor 1 and centre 0
            a = a.sub(Scalars.One).mul(changes).add(Scalars.One, Scalars.One);
            centre = centre.mul(changes);
        }
        var value = inverse ? part.mul(a).add(centre, Scalars.One) : part.sub(centre).mul(a);
        var count = elements is not null ? logScale.mul(elements.Value).sum() : logScale.sum();
        var perChannel = elements is not null ? 1 : part.shape.Skip(2).Aggregate(1L, (n, s) => n * s);
        var logDet = (perChannel == 1 ? count : count.mul(Scalars.Of(perChannel))).repeat(input.shape[0]);
        return (partition?.Merge(input, value) ?? value, logDet);
    }
}
