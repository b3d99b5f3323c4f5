using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>z = (x − mean) / deviation · W with W = V Λ^(−1/2) of the correlations
/// V Λ Vᵀ: coordinates along principal axes, without correlation.</summary>
/// <remarks>Holds no tensors, and is safe for several threads.</remarks>
internal sealed class Whitening
{
    // beyond so many deviations all rows are alike: a flow in float32 takes them all, and none is ordinary
    private const double Most = 1e4;

    // of a column that is the sum of others, in variances: deviations from that sum count a thousandfold, and not without bound
    private const double Least = 1e-6;

    private readonly double[] mean, deviation, matrix;

    /// <summary>One from a file.</summary>
    /// <exception cref="ArgumentException">Numbers do not fit together.</exception>
    public Whitening(double[] mean, double[] deviation, double[] matrix)
    {
        (this.mean, this.deviation, this.matrix) = (mean, deviation, matrix);
        var features = (long)mean.Length;
        if (deviation.Length != features || matrix.Length != features * features || !mean.Concat(matrix).All(double.IsFinite)
            || !deviation.All(d => d > 0 && double.IsFinite(d)))
            throw new ArgumentException("A whitening needs a mean, a positive deviation and a row of a matrix for each column, all finite.",
                nameof(matrix));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (_, logDet) = linalg.slogdet(tensor(matrix, [features, features], device: CPU));
        LogDet = logDet.FetchDouble() - deviation.Sum(Math.Log);
        if (!double.IsFinite(LogDet)) throw new ArgumentException("The matrix of a whitening has no inverse.", nameof(matrix));
    }

    /// <summary>Of rows: float64 (N, D) on the CPU, no column constant.</summary>
    public static Whitening Of(Tensor rows)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var mean = rows.mean([0], keepdim: true);
        var deviation = rows.std(0, unbiased: false, keepdim: true);
        var z = rows.sub(mean).div(deviation);
        var (values, vectors) = linalg.eigh(z.t().mm(z).div(Scalars.Of(z.shape[0])));
        var scaled = vectors.div(values.clamp_min(Scalars.Zero).add(Scalars.Of(Least), Scalars.One).sqrt());
        return new(mean.FetchDoubles(), deviation.FetchDoubles(), scaled.FetchDoubles());
    }

    /// <summary>log|det| of the map.</summary>
    public double LogDet { get; }

    public ReadOnlySpan<double> Mean => mean;

    public ReadOnlySpan<double> Deviation => deviation;

    /// <summary>W, row by row.</summary>
    public ReadOnlySpan<double> Matrix => matrix;

    /// <summary>z of rows: float64 (N, D) on the CPU.</summary>
    public Tensor Apply(Tensor x)
    {
        using var scope = NewDisposeScope();
        var z = x.sub(Row(mean)).div(Row(deviation)).clamp(Scalars.Of(-Most), Scalars.Of(Most));
        return scope.MoveToOuter(z.mm(Square()));
    }

    /// <summary>z as a graph of ONNX, in float64 up to its end as here.</summary>
    public OnnxValue ToOnnx(OnnxValue x)
    {
        var graph = x.Graph;
        OnnxValue Of(Tensor numbers) => graph.Constant(numbers, ScalarType.Float64);
        var z = (x.To(ScalarType.Float64) - Of(Row(mean))) / Of(Row(deviation));
        return z.Clip(-Most, Most).MatMul(Of(Square())).To(x.Type);
    }

    /// <summary>The gradient by x from that by z, (1, D).</summary>
    public Tensor Back(Tensor gradient)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(gradient.mm(Square().t()).div(Row(deviation)));
    }

    private Tensor Square() => tensor(matrix, [mean.Length, mean.Length], device: CPU);

    private static Tensor Row(double[] numbers) => tensor(numbers, [1, numbers.Length], device: CPU);
}
