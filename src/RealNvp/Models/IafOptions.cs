namespace RealNvp;

/// <summary>Everything that describes an <see cref="IafModel"/>. A checkpoint carries this record as JSON.</summary>
public sealed record IafOptions : AutoregressiveOptions
{
    /// <summary>2-D toy densities: 5 affine layers with networks of 64 hidden units.</summary>
    public static IafOptions Toy2D { get; } = new() { Shape = [2], Hidden = 64, Blocks = 1 };

    /// <summary>
    /// Tables of continuous features: standardization, 5 affine layers with 2 residual blocks, which see no
    /// more than ±5 standard deviations; Student's t latents. Chosen on four data sets: docs/presets.md.
    /// </summary>
    /// <param name="features">D, at least 1.</param>
    /// <param name="rows">How many rows there are to train on, if that is known. 128 hidden units, half
    /// of whose weights have masks, did best from 300 rows on, so this preset is the same for all.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static IafOptions Tabular(long features, long? rows = null)
    {
        RowsOf(rows);
        return ForTables(new IafOptions { Shape = Vector(features), Standardize = true });
    }

    /// <summary>Tables with splines of 8 bins within ±5 standard deviations in place of the
    /// affine map: RQ-NSF (AR) (arXiv 1906.04032, section 5.1), turned round.</summary>
    /// <param name="features">D, at least 1.</param>
    /// <param name="rows">How many rows there are to train on, if that is known:
    /// 64 hidden units below 10,000, else 128; null is as for 20,000.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static IafOptions SplineTabular(long features, long? rows = null) =>
        Tabular(features, rows) with { Transformer = AutoregressiveKind.Spline, Bound = 5, Hidden = RowsOf(rows) < 10_000 ? 64 : 128 };

    /// <inheritdoc/>
    protected internal override FlowParts Build() =>
        new(Chain(inverted: true)) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };
}
