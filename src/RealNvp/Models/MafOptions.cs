namespace RealNvp;

/// <summary>Everything that describes a <see cref="MafModel"/>. A checkpoint carries this record as JSON.</summary>
public sealed record MafOptions : AutoregressiveOptions
{
    /// <summary>2-D toy densities: 5 affine layers with networks of 64 hidden units.</summary>
    public static MafOptions Toy2D { get; } = new() { Shape = [2], Hidden = 64, Blocks = 1 };

    /// <summary>Tables of continuous features: standardization, 5 affine layers with 2 residual blocks of 128.</summary>
    /// <param name="features">D, at least 1.</param>
    public static MafOptions Tabular(long features) => new() { Shape = [features], Standardize = true };

    /// <summary>Tables with splines of 8 bins in place of the affine map: RQ-NSF (AR) (arXiv 1906.04032, section 5.1).</summary>
    /// <param name="features">D, at least 1.</param>
    public static MafOptions SplineTabular(long features) => Tabular(features) with { Transformer = AutoregressiveKind.Spline };

    /// <summary>Reads a record that <see cref="ModelOptions.ToJson"/> wrote, and validates it.</summary>
    /// <exception cref="InvalidDataException">The text is not such a record, or a value is out of range.</exception>
    public static MafOptions FromJson(string text) => Parse<MafOptions>(text);

    internal override FlowModel Build() => new MafModel(this);
}
