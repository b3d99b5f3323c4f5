using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Batch normalization of a conditioner's activations: y = γ (x - μ)/√(σ² + ε) + β for each channel, with the paper's choice of
/// statistics in training (Real NVP, appendix E) or the ordinary one.
/// </summary>
/// <remarks>
/// State-dict keys as in PyTorch's BatchNorm2d: <c>weight</c>, <c>bias</c>, <c>running_mean</c>, <c>running_var</c>,
/// <c>num_batches_tracked</c>.
/// </remarks>
public sealed partial class ChannelBatchNorm : nn.Module<Tensor, Tensor>, IStateLaws, IMixesBatch, ISumsBatch
{
    private readonly TorchSharp.Modules.Parameter weight, bias;
    private readonly Tensor running_mean, running_var, num_batches_tracked;
    private readonly Scalar epsilon;

    /// <summary>Makes the layer.</summary>
    /// <param name="channels">C.</param>
    /// <param name="statistics">What training divides by.</param>
    /// <param name="momentum">The weight of the past in the running averages, in [0, 1); PyTorch's momentum of 0.1 is 0.9 here.</param>
    /// <param name="eps">ε, added to the variance; positive.</param>
    public ChannelBatchNorm(long channels, BatchStatistics statistics = BatchStatistics.Running, double momentum = 0.9, double eps = 1e-5)
        : base(nameof(ChannelBatchNorm))
    {
        Check.Positive(channels, nameof(channels), "The number of channels");
        Ranges.Momentum.Require(momentum, nameof(momentum), "The momentum");
        Ranges.BatchNormEpsilon.Require(eps, nameof(eps), "Epsilon");
        Weights.Pay((4 * channels) + 1, 5);
        (Statistics, Momentum, Eps, epsilon) = (statistics, momentum, eps, Scalars.Of(eps));
        weight = Weights.Parameter(ones(channels));
        bias = Weights.Parameter(zeros(channels));
        running_mean = Weights.Buffer(zeros(channels));
        running_var = Weights.Buffer(ones(channels));
        num_batches_tracked = Weights.Buffer(zeros([], ScalarType.Int64));
        RegisterComponents();
    }

    /// <summary>What training divides by.</summary>
    public BatchStatistics Statistics { get; }

    /// <summary>The weight of the past in the running averages.</summary>
    public double Momentum { get; }

    /// <summary>ε, added to the variance.</summary>
    public double Eps { get; }

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return BufferLaws.RunningStatistics(state);
    }

    /// <summary>γ and β.</summary>
    internal (Tensor Weight, Tensor Bias) Parts => (weight, bias);

    /// <summary>What it keeps beside them.</summary>
    internal ImageNorm Averages => new(running_mean, running_var, num_batches_tracked, Momentum, Eps);

    /// <summary>Whether a batch is normalized by its own statistics alone in training.</summary>
    internal bool NormalizesBatch => Statistics == BatchStatistics.Current && RowShare.Exchanging is null;

    /// <summary>Normalizes (N, C, ...). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Check.Channels(input, weight, $"{nameof(ChannelBatchNorm)}.forward");
        if (!training || input.shape[0] == 0)
            return nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training: false, 1 - Momentum, Eps);
        // no argument reaches a network
        var tape = PassState.Current?.Tape;
        var again = tape is { IsReplaying: true };
        if (Statistics == BatchStatistics.Current && RowShare.Exchanging is { } share) return OfAll(input, share, again);
        if (Statistics == BatchStatistics.Current)
        {
            if (again) return nn.functional.batch_norm(input, null, null, weight, bias, training: true, 1 - Momentum, Eps);
            using (no_grad()) num_batches_tracked.add_(Scalars.IntegerOne, Scalars.IntegerOne);
            return nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training: true, 1 - Momentum, Eps);
        }
        using var scope = NewDisposeScope();
        var several = RowShare.Rows(input.shape[0]) * (input.numel() / input.shape[0] / input.shape[1]) > 1;
        // computed again, a batch counts no second time: the averages are those from before it, and are not kept
        if (!again) tape?.Write(this, running_mean.clone(), running_var.clone(), num_batches_tracked.clone());
        var averages = again ? [.. tape!.Read(this, 3).Select(t => t.clone())] : new[] { running_mean, running_var, num_batches_tracked };
        var (mean, variance) = RunningMoments.Update(RunningMoments.Of(input, null), averages[0], averages[1], averages[2], Momentum,
            several);
        var scale = variance.add(epsilon, Scalars.One).rsqrt().mul(weight);
        var shift = bias.sub(mean.mul(scale));
        var y = input.mul(RunningMoments.PerChannel(scale, input.dim())).add(RunningMoments.PerChannel(shift, input.dim()), Scalars.One);
        return scope.MoveToOuter(y);
    }

    /// <summary>relu of <see cref="forward"/>, as one kernel if there is one for the input.</summary>
    internal Tensor Relu(Tensor input)
    {
        var current = training && input.shape[0] > 0;
        var differentiable = IsDifferentiable(input);
        if (!NormRelu.CanRun(input, weight, bias) || (current ? !IsNormalized(input) : differentiable)) return call(input).relu_();
        using var scope = NewDisposeScope();
        if (!current) return scope.MoveToOuter(NormRelu.Known(input, running_mean, running_var, weight, bias, Eps));
        var result = differentiable ? NormReluFunction.Apply(input, weight, bias, Eps) : NormRelu.Batch(input, weight, bias, Eps);
        Track(result[1], result[2], input);
        return scope.MoveToOuter(result[0]);
    }

    /// <summary>A 3×3 convolution of <see cref="Relu"/>, as one node of the graph; null if there is none for it.</summary>
    internal Tensor? ReluConvolution(Tensor input, Tensor kernel, Tensor? kernelBias)
    {
        if (!training || input.shape[0] == 0 || !IsNormalized(input) || !IsDifferentiable(input)
                || !NormConvolution.CanRun(input, weight, bias, kernel, kernelBias))
            return null;
        using var scope = NewDisposeScope();
        var result = NormConvolution.Apply(input, weight, bias, Eps, kernel, kernelBias);
        Track(result[1], result[2], input);
        return scope.MoveToOuter(result[0]);
    }

    // as nn.functional.batch_norm, with the statistics of all rows of a batch that several processes share
    private Tensor OfAll(Tensor input, RowShare share, bool again)
    {
        using var scope = NewDisposeScope();
        var elements = share.Total * (input.numel() / input.shape[0] / input.shape[1]);
        if (elements < 2)
            throw share.Group!.Agreed(new ArgumentException(
                $"{nameof(ChannelBatchNorm)} needs more than one value for each channel in training; got a batch of {share.Total}.",
                nameof(input)));
        var (mean, variance) = RunningMoments.Of(input, null);
        if (!again) Track(mean.detach(), variance.detach(), elements);
        var scale = variance.add(epsilon, Scalars.One).rsqrt().mul(weight);
        var centred = input.sub(RunningMoments.PerChannel(mean, input.dim()));
        var y = centred.mul(RunningMoments.PerChannel(scale, input.dim())).add(RunningMoments.PerChannel(bias, input.dim()), Scalars.One);
        return scope.MoveToOuter(y);
    }

    private bool IsDifferentiable(Tensor input) => is_grad_enabled() && (input.requires_grad || weight.requires_grad || bias.requires_grad);

    private bool IsNormalized(Tensor input) => NormalizesBatch && input.numel() != input.shape[1];

    // computed again, a batch counts no second time
    private void Track(Tensor mean, Tensor variance, Tensor input)
    {
        if (PassState.Current?.Tape is { IsReplaying: true }) return;
        Track(mean, variance, input.numel() / input.shape[1]);
    }

    private void Track(Tensor mean, Tensor variance, double elements)
    {
        using var still = no_grad();
        num_batches_tracked.add_(Scalars.IntegerOne, Scalars.IntegerOne);
        running_mean.mul_(Scalars.Of(Momentum)).add_(mean, Scalars.Of(1 - Momentum));
        running_var.mul_(Scalars.Of(Momentum)).add_(variance, Scalars.Of((1 - Momentum) * elements / (elements - 1)));
    }
}
