using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Centres and scales each number of a context (N, C) with numbers taken from data, so
/// that a year or a price arrives at the networks like any other: (c − mean)/std.</summary>
/// <remarks>
/// <para>The <see cref="Trainer"/> fits it once, as it fits a <see cref="Standardization"/>; until then
/// it is the identity. A number that is constant in the data is only centred. Contexts may have any
/// floating-point dtype: they are standardized in the wider one of theirs and of the weights.</para>
/// <para>State-dict keys: <c>mean</c>, <c>mean_rest</c> and <c>log_std</c> (C),
/// <c>fitted</c> (a bool). The mean is the sum of the first two.</para>
/// </remarks>
public sealed partial class ContextStandardization : ContextEncoder, IFitsParts, IConstantBuffers, IStateLaws
{
    private readonly Tensor mean, mean_rest, log_std, fitted;

    /// <summary>Makes the encoder.</summary>
    /// <param name="size">C, the number of context features, at least 1.</param>
    /// <param name="scaling">What it takes from data.</param>
    public ContextStandardization(long size, FeatureScaling scaling = FeatureScaling.Moments)
        : base(nameof(ContextStandardization), EventShape.Create(size), size)
    {
        Scaling = Standardizing.Defined(scaling, nameof(scaling));
        Weights.Pay((3 * size) + 1, 4);
        mean = Weights.Buffer(zeros(size));
        mean_rest = Weights.Buffer(zeros(size));
        log_std = Weights.Buffer(zeros(size));
        fitted = Weights.Buffer(zeros([], ScalarType.Bool));
        RegisterComponents();
    }

    /// <summary>What it takes from data.</summary>
    public FeatureScaling Scaling { get; }

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Standardizing.FaultIn(state);
    }

    /// <inheritdoc/>
    public bool IsFitted => fitted.Fetch<bool>();

    /// <summary>Takes the numbers from contexts, in place of those that it has.</summary>
    /// <param name="context">(N, C) with N of at least 1, any floating-point dtype, on any device.</param>
    /// <exception cref="ArgumentException">Wrong shape, NaN, or numbers that the dtype of the weights cannot hold.</exception>
    public void Fit(Tensor context)
    {
        Check.Batch(context, nameof(context), $"{GetName()}.{nameof(Fit)}", ContextShape);
        Fit(Batch.Rows(context));
    }

    /// <inheritdoc/>
    public void Fit(IEnumerable<Tensor> batches) => ((IFitsParts)this).Fit(batches, null);

    void IFitsParts.Fit(IEnumerable<Tensor> batches, ProcessGroup? group)
    {
        var owner = $"{GetName()}.{nameof(Fit)}";
        var (centre, scale) = Standardizing.Measure(batches, ContextShape, Scaling, owner, group, constants: true);
        using (centre)
        using (scale)
        {
            Standardizing.CheckRange(centre, scale, mean.dtype, owner);
            Standardizing.Store(centre, scale, mean, mean_rest, log_std, fitted);
        }
    }

    /// <summary>Standardizes contexts (N, C). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Check.Batch(input, nameof(input), GetName(), ContextShape);
        Check.Like(input, nameof(input), GetName(), mean, anyDtype: true);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Standardizing.Apply(input, mean, mean_rest, log_std));
    }

    /// <inheritdoc/>
    protected override void CheckValues(Tensor context, string owner)
    {
        ArgumentNullException.ThrowIfNull(context);
        Check.Like(context, nameof(context), owner, null);
        Check.Finite(context, nameof(context), owner);
    }
}
