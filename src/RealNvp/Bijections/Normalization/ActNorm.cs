using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A learned scale and shift for each channel or feature, set from the first batch so that its outputs have mean 0 and variance 1:
/// z = x ⊙ exp(s) + b; log|det| = H·W·Σ s (Glow, arXiv 1807.03039, section 3.1).
/// </summary>
/// <remarks>
/// <para>The first Forward in training mode sets s and b from its batch; until then the layer is the identity. Evaluation and Inverse
/// never set them. A batch that cannot say how wide a channel is, because each channel has one element in it (one vector), leaves the
/// layer as it is, and the next batch is asked. A channel that is constant in the batch keeps s = 0 and only gets its shift.</para>
/// <para>State-dict keys: <c>log_scale</c>, <c>shift</c> (C), <c>initialized</c> (a bool). A loaded state whose
/// <c>initialized</c> is true counts as the first batch; a layer that is initialized stays so, whatever it loads. After the first batch no
/// example sees another one, and no call waits for the device.</para>
/// </remarks>
public sealed partial class ActNorm : Bijection, ISetByFirstBatch, IStepsBack, ISumsBatch
{
    private readonly TorchSharp.Modules.Parameter log_scale, shift;
    private readonly Tensor initialized;
    private bool known;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">[C, H, W] or [D]; sizes may be -1 except the first.</param>
    public ActNorm(EventShape inputShape) : base(nameof(ActNorm), inputShape)
    {
        if (inputShape.Count == 0 || inputShape[0] == -1)
            throw new ArgumentException($"ActNorm needs the number of channels or features; got {inputShape}.", nameof(inputShape));
        Weights.Pay((2 * inputShape[0]) + 1, 3);
        log_scale = Weights.Parameter(zeros(inputShape[0]));
        shift = Weights.Parameter(zeros(inputShape[0]));
        initialized = Weights.Buffer(zeros([], ScalarType.Bool));
        RegisterComponents();
    }

    /// <summary>Whether s and b were set from a batch, in this run or in the one whose state was loaded.</summary>
    public bool IsInitialized => known || (known = initialized.Fetch<bool>());

    bool ISetByFirstBatch.IsSet => IsInitialized;

    IEnumerable<Tensor> ISetByFirstBatch.SetTensors => [log_scale, shift];

    void ISetByFirstBatch.Forget() => known = false;

    /// <summary>True until the first batch of training: that one sets the scale and the shift of all its examples.</summary>
    public override bool MixesBatchInTraining => !IsInitialized;

    /// <summary>Whether the next Forward will set s and b.</summary>
    internal bool WantsBatch => training && !IsInitialized;

    /// <summary>s, of shape (C).</summary>
    internal Tensor Scale => log_scale;

    /// <summary>b, of shape (C).</summary>
    internal Tensor Shift => shift;

    /// <inheritdoc/>
    protected internal override bool KeepsInput(bool inverse) => false;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        if (WantsBatch && pass.Tape is not { IsReplaying: true }) Initialize(x);
        var (s, b) = (RunningMoments.PerChannel(log_scale, x.dim()), RunningMoments.PerChannel(shift, x.dim()));
        return (x.mul(s.exp()).add(b, Scalars.One), LogDet(x));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var (s, b) = (RunningMoments.PerChannel(log_scale, z.dim()), RunningMoments.PerChannel(shift, z.dim()));
        return (z.sub(b).mul(s.neg().exp()), LogDet(z).neg());
    }

    // ∂b = Σ g and ∂s = Σ g ⊙ (z − b), plus what comes through the log-determinant;
    // the other way round, −Σ h and −Σ g ⊙ x with the gradient h of z
    (Tensor Input, Tensor Gradient) IStepsBack.StepBack(BackwardStep step, Tensor output, Tensor gradient, bool inverse)
    {
        var (s, b) = (RunningMoments.PerChannel(log_scale, output.dim()), RunningMoments.PerChannel(shift, output.dim()));
        var shifted = inverse ? output.mul(s.exp()) : output.sub(b);
        var (input, slope) = inverse ? (shifted.add(b, Scalars.One), gradient.mul(s.neg().exp()))
            : (shifted.mul(s.neg().exp()), gradient.mul(s.exp()));
        var all = Enumerable.Range(0, (int)output.dim()).Where(d => d != 1).Select(d => (long)d).ToArray();
        var (along, down) = (gradient.mul(inverse ? output : shifted).sum(all), (inverse ? slope : gradient).sum(all));
        var total = along.add(step.LogDetGradient.sum().mul(Scalars.Of(Pixels(output))), Scalars.One);
        step.AddGradient(log_scale, inverse ? total.neg() : total);
        step.AddGradient(shift, inverse ? down.neg() : down);
        return (input, slope);
    }

    private Tensor LogDet(Tensor input) => log_scale.sum().mul(Scalars.Of(Pixels(input))).repeat(input.shape[0]);

    private static long Pixels(Tensor input) => input.shape.Skip(2).Aggregate(1L, (n, s) => n * s);

    private void Initialize(Tensor x)
    {
        using var _ = no_grad();
        if (x.shape[0] == 0 || RowShare.Rows(x.shape[0]) * Pixels(x) < 2) return;
        var (mean, variance) = RunningMoments.Of(x.detach(), null);
        var deviation = variance.sqrt();
        // a constant channel has no width but for the rounding of its mean
        var usable = deviation.gt(mean.abs().mul(Scalars.Of(1e-6))).logical_and(deviation.isfinite());
        var s = deviation.log().neg().where(usable, zeros_like(deviation));
        log_scale.copy_(s);
        shift.copy_(mean.neg().mul(s.exp()).nan_to_num(0, 0, 0));
        initialized.fill_(Scalars.IntegerOne);
        known = true;
    }
}
