using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Centres and scales each feature with numbers taken from data: z = (x - mean)/std; log|det| = -Σ log std. Log-likelihoods then stay
/// in the units of the data.
/// </summary>
/// <remarks>
/// <para>The numbers are no weights: they are set once, by the <see cref="Trainer"/> before its first step or by <see cref="Fit(Tensor)"/>,
/// and not trained. A trainer leaves a layer that is fitted as it is, also one from a file. A new layer is the identity.</para>
/// <para>It takes x of any floating-point dtype, computes in the wider one of x and of the layer, and gives z in
/// that of the layer: a float32 model tells times in seconds since 1970 apart, if they come in float64.</para>
/// <para>State-dict keys: <c>mean</c>, <c>mean_rest</c> and <c>log_std</c>, of the shape of one example, and <c>fitted</c> (a bool).
/// The mean is the sum of the first two. A file that is older than <c>mean_rest</c> and <c>fitted</c> counts as fitted.</para>
/// </remarks>
public sealed partial class Standardization : Bijection, IFitsParts, IConstantBuffers, IOlderFiles, IStateLaws
{
    private readonly Tensor mean, mean_rest, log_std, fitted;

    /// <summary>Makes the layer for examples of one shape.</summary>
    /// <param name="inputShape">The shape of one example, all sizes known.</param>
    /// <param name="scaling">What it takes from data: mean and standard deviation, or quantiles in their place.</param>
    public Standardization(EventShape inputShape, FeatureScaling scaling = FeatureScaling.Moments)
        : base(nameof(Standardization), inputShape)
    {
        Scaling = Standardizing.Defined(scaling, nameof(scaling));
        Weights.Pay((3 * inputShape.NumElements) + 1, 4);
        mean = Weights.Buffer(zeros(inputShape.ToArray()));
        mean_rest = Weights.Buffer(zeros(inputShape.ToArray()));
        log_std = Weights.Buffer(zeros(inputShape.ToArray()));
        fitted = Weights.Buffer(zeros([], ScalarType.Bool));
        RegisterComponents();
    }

    /// <summary>What it takes from data. A state does not hold it: it matters for <see cref="Fit(Tensor)"/> alone.</summary>
    public FeatureScaling Scaling { get; }

    /// <inheritdoc/>
    public bool IsFitted => fitted.Fetch<bool>();

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Standardizing.FaultIn(state);
    }

    /// <inheritdoc/>
    public override bool ConvertsDtype => true;

    IReadOnlyDictionary<string, double> IOlderFiles.Missing => Standardizing.OlderFiles;

    /// <summary>Takes mean and standard deviation, or the quantiles in their place, from data, in place of those that it has.</summary>
    /// <param name="x">(N, ...) with N of at least 2, any floating-point dtype, on any device.</param>
    /// <exception cref="ArgumentException">Wrong shape, NaN, a feature that is constant (its density
    /// has no finite value), or numbers that the dtype of the layer cannot hold.</exception>
    public void Fit(Tensor x)
    {
        Check.Batch(x, nameof(x), $"{GetName()}.{nameof(Fit)}", InputShape);
        Fit(Batch.Rows(x));
    }

    /// <inheritdoc/>
    public void Fit(IEnumerable<Tensor> batches) => ((IFitsParts)this).Fit(batches, null);

    void IFitsParts.Fit(IEnumerable<Tensor> batches, ProcessGroup? group)
    {
        var owner = $"{GetName()}.{nameof(Fit)}";
        var (centre, scale) = Standardizing.Measure(batches, InputShape!.Value, Scaling, owner, group);
        using (centre)
        using (scale)
        {
            Standardizing.CheckRange(centre, scale, mean.dtype, owner);
            Standardizing.Store(centre, scale, mean, mean_rest, log_std, fitted);
        }
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
        (Standardizing.Apply(x, mean, mean_rest, log_std), log_std.neg().sum().repeat(x.shape[0]));

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var wide = Standardizing.Wider(pass.RequestedDtype ?? z.dtype, z.dtype);
        var x = z.to(wide).mul(log_std.to(wide).exp()).add(Standardizing.Centre(mean, mean_rest, wide), Scalars.One);
        return (x.to(pass.RequestedDtype ?? z.dtype), log_std.sum().to(z.dtype).repeat(z.shape[0]));
    }
}
