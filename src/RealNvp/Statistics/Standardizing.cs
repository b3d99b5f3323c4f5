using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The numbers of a standardization of features: a centre, a scale, and whether they were taken from data.</summary>
/// <remarks>
/// The centre is the sum of two numbers of the dtype of the weights, so that a float32 model holds the centre of times in seconds
/// since 1970: 48 bits. The first one has at most 24 bits, so a model goes from float64 to float32 and loses nothing to speak of.
/// </remarks>
internal static class Standardizing
{
    // exp of more than this, or of less than minus this, leaves the numbers of float32
    private const double LogRange = 80;

    // beyond it a scale is no number of float64
    private const double MostLog = 700;

    public const string Rest = "mean_rest", Fitted = "fitted";

    /// <summary>What files lack that are older than these buffers, and what it is then: an old standardization counts as fitted.</summary>
    public static IReadOnlyDictionary<string, double> OlderFiles { get; } = new Dictionary<string, double> { [Rest] = 0, [Fitted] = 1 };

    /// <summary>The wider of two floating-point dtypes.</summary>
    public static ScalarType Wider(ScalarType a, ScalarType b) => Digits(a) >= Digits(b) ? a : b;

    /// <summary>What is wrong with the buffers of a state that is about to be loaded; null if nothing.</summary>
    public static string? FaultIn(IReadOnlyDictionary<string, Tensor> state) =>
        BufferLaws.First(BufferLaws.Finite(state, "mean"), BufferLaws.Finite(state, Rest), BufferLaws.Within(state, "log_std", -MostLog,
            MostLog));

    public static FeatureScaling Defined(FeatureScaling scaling, string parameter) =>
        Enum.IsDefined(scaling) ? scaling
            : throw new ArgumentOutOfRangeException(parameter, scaling, "Expected a value of FeatureScaling.");

    /// <summary>Takes centre and scale of each feature from batches.</summary>
    /// <param name="batches">Of examples.</param>
    /// <param name="shape">The shape of one example.</param>
    /// <param name="scaling">Which numbers.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="group">Who has other batches; null if these are all.</param>
    /// <param name="constants">Whether a feature may be constant: its scale is 1 then.</param>
    /// <returns>Centre and scale in float64, of the shape of one example. The caller disposes both.</returns>
    public static (Tensor Centre, Tensor Scale) Measure(IEnumerable<Tensor> batches, EventShape shape, FeatureScaling scaling, string owner,
        ProcessGroup? group, bool constants = false)
    {
        ArgumentNullException.ThrowIfNull(batches);
        using var moments = new FeatureMoments();
        using var sample = scaling == FeatureScaling.Quantiles ? new FeatureSample() : null;
        foreach (var batch in batches)
        {
            Check.Batch(batch, nameof(batches), owner, shape);
            Check.Like(batch, nameof(batches), owner, null);
            Check.Finite(batch, nameof(batches), owner);
            moments.Add(batch);
            sample?.Add(batch);
        }
        if (group is not null)
        {
            if (sample is not null)
                throw group.Agreed(new NotSupportedException(
                    $"{owner} takes quantiles, and those of data that several processes hold in parts are not known to any of them. Fit " +
                    $"it before training, on one process with all data or a sample of them: the others get its numbers. Or use " +
                    $"{nameof(FeatureScaling)}.{nameof(FeatureScaling.Moments)}."));
            moments.Join(group);
        }
        var least = constants ? 1 : 2;
        if (moments.Count < least)
            throw new ArgumentException($"{owner} needs at least {(least == 1 ? "1 example" : "2 examples")}; got {moments.Count}.",
                nameof(batches));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var constant = moments.Most.le(moments.Least);
        if (!constants && constant.flatten().nonzero() is { } found && found.shape[0] > 0)
            throw new ArgumentException(
                $"{owner}: feature {found[0, 0].FetchInt64()} is constant, so its density would be infinite. Remove the feature, or add " +
                $"noise to it.", nameof(batches));
        var (centre, scale) = (moments.Mean.clone(), moments.Variance().sqrt());
        if (sample is not null)
        {
            var q = sample.Quantiles(0.5, 0.25, 0.75, 0.05, 0.95, 0.01, 0.99).to(centre.device).reshape([7, .. shape]);
            centre = q[0];
            // the distances of these quantiles of a normal with deviation 1
            foreach (var (low, distance) in new[] { (5, 4.652695748081682), (3, 3.289707253902945), (1, 1.3489795003921634) })
            {
                var width = q[low + 1].sub(q[low]).mul(Scalars.Of(1 / distance));
                scale = width.where(width.gt(Scalars.Zero), scale);
            }
        }
        return (scope.MoveToOuter(centre), scope.MoveToOuter(scale.masked_fill(constant, Scalars.One)));
    }

    /// <summary>Throws if the dtype of the weights cannot hold the scale.</summary>
    public static void CheckRange(Tensor centre, Tensor scale, ScalarType dtype, string owner)
    {
        if (dtype == ScalarType.Float64) return;
        using var scope = NewDisposeScope();
        var log = scale.log();
        var bad = log.abs().le(Scalars.Of(LogRange)).logical_not().logical_or(
            centre.to(ScalarType.Float32).isfinite().logical_not()).flatten().nonzero();
        if (bad.shape[0] == 0) return;
        var feature = bad[0, 0].FetchInt64();
        var (middle, width) = (centre.flatten()[feature].FetchDouble(), scale.flatten()[feature].FetchDouble());
        throw new ArgumentException(
            string.Create(CultureInfo.InvariantCulture,
                $"{owner}: feature {feature} has the centre {middle:G3} and the scale {width:G3}, which {dtype} cannot hold. Give the " +
            $"feature in another unit, or compute in float64: model.to(torch.float64)."), nameof(scale));
    }

    /// <summary>Writes the numbers into the buffers of a layer.</summary>
    public static void Store(Tensor centre, Tensor scale, Tensor mean, Tensor rest, Tensor logStd, Tensor fitted)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var high = centre.to(ScalarType.Float32);
        mean.copy_(high);
        rest.copy_(centre.sub(high.to(centre.dtype)));
        logStd.copy_(scale.log());
        fitted.fill_(Scalars.IntegerOne);
    }

    /// <summary>The centre in a dtype.</summary>
    public static Tensor Centre(Tensor mean, Tensor rest, ScalarType dtype) =>
        dtype == ScalarType.Float64 ? mean.to(dtype).add(rest.to(dtype), Scalars.One) : mean.to(dtype);

    /// <summary>(x − centre)/scale in the wider of the dtypes of x and of the layer, then in that of the layer.</summary>
    public static Tensor Apply(Tensor x, Tensor mean, Tensor rest, Tensor logStd)
    {
        var (own, wide) = (mean.dtype, Wider(x.dtype, mean.dtype));
        var z = x.to(wide).sub(Centre(mean, rest, wide)).mul(logStd.to(wide).neg().exp());
        return z.to(own);
    }

    private static int Digits(ScalarType dtype) => dtype switch
    {
        ScalarType.Float64 => 53,
        ScalarType.Float32 => 24,
        ScalarType.Float16 => 11,
        _ => 8,
    };
}
