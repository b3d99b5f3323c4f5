using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Inputs of one kind for one direction, in float64 with values that float32 holds too.</summary>
/// <param name="Name">What failures call it.</param>
/// <param name="Inverse">True if the inputs are latents.</param>
/// <param name="Input">(n, ...).</param>
/// <param name="Context">(n, C), or null.</param>
/// <param name="Ordinary">False for extremes and points, where a check may end inconclusive.</param>
/// <param name="Rows">The examples whose Jacobians are computed.</param>
/// <param name="Differences">False if central differences would leave the domain.</param>
internal sealed record Probe(string Name, bool Inverse, Tensor Input, Tensor? Context, bool Ordinary, int[] Rows, bool Differences = true)
{
    /// <summary>log|det| of the numerical Jacobian and its error, by row; computed once, in float64.</summary>
    public Dictionary<int, (double LogDet, double Error)> Numerical { get; } = [];

    /// <summary>The log-determinants of autograd's Jacobians in float64, by example.</summary>
    public Dictionary<int, double> Autograd { get; } = [];

    /// <summary>How much relative errors of inputs and weights move the log-determinant; computed once, in float64.</summary>
    public double? Sensitivity { get; set; }

    /// <summary>How much relative errors of the result move what comes back
    /// from it, and its log-determinant; computed once, in float64.</summary>
    public (double Value, double LogDet)? Amplification { get; set; }
}

/// <summary>Makes the probes: ordinary values, zeros, extremes, points, and the latents that belong to them.</summary>
internal sealed class Probes(Subject subject, EventShape shape, Tensor? sample) : IDisposable
{
    private const int Ordinary = 4;
    private readonly Generator generator = RandomSource.New(subject.Options.Seed);
    private readonly FlowCheckOptions options = subject.Options;

    /// <summary>Ordinary inputs (n, ...): rows of the sample in turn, or draws within the limits.</summary>
    public Tensor Draw(long count)
    {
        if (sample is not null) return Rows(sample, count);
        var (low, high) = (options.Minimum, options.Maximum);
        var size = shape.WithBatch(count);
        if (double.IsFinite(low) && double.IsFinite(high))
            return Rounded(Noise.Uniform(size, ScalarType.Float64, CPU, generator).mul(Scalars.Of(high - low)).add(Scalars.Of(low),
                Scalars.One).clamp(Scalars.Of(low), Scalars.Of(high)));
        var normal = Noise.Normal(size, ScalarType.Float64, CPU, generator);
        if (double.IsFinite(low)) return Rounded(normal.abs().add(Scalars.Of(low), Scalars.One));
        return Rounded(double.IsFinite(high) ? normal.abs().neg().add(Scalars.Of(high), Scalars.One) : normal);
    }

    /// <summary>A context (n, C): the caller's rows in turn, or normal numbers; null if the layer takes none.</summary>
    public Tensor? DrawContext(long count)
    {
        if (subject.Layer.ContextSize == 0) return null;
        return options.Context is { } given ? Rows(given, count)
            : Rounded(Noise.Normal([count, subject.Layer.ContextSize], ScalarType.Float64, CPU, generator));
    }

    public IReadOnlyList<Probe> Make()
    {
        var probes = new List<Probe>();
        var drawn = options.DrawLatents && !subject.Layer.IsStochastic;
        var first = Draw(sample is null ? Ordinary : Math.Clamp(sample.shape[0], 2, 8));
        var context = DrawContext(first.shape[0]);
        AddBoth(sample is null ? "ordinary values" : "the sample", first, ordinary: true, [0, 1], drawn ? [] : [0]);
        if (options.Minimum <= 0 && options.Maximum >= 0) AddBoth("zeros", zeros_like(Draw(1)), ordinary: false, [0], []);
        if (options.Extreme > 0)
        {
            var (low, high) = (Math.Max(options.Minimum, -options.Extreme), Math.Min(options.Maximum, options.Extreme));
            var name = FormattableString.Invariant($"extremes ({low:G6} and {high:G6})");
            var all = Draw(4);
            AddBoth(name, cat([full_like(all[..1], Scalars.Of(high)), full_like(all[..1], Scalars.Of(low)), Mixed(all[2..3], low, high),
                Mixed(all[3..], high, low)]), ordinary: false, [2], []);
        }
        foreach (var point in options.Points.Where(p => p >= options.Minimum && p <= options.Maximum))
        {
            var all = Draw(2);
            AddBoth(FormattableString.Invariant($"the point {point:G6}"),
                cat([full_like(all[..1], Scalars.Of(point)), Mixed(all[1..], point, point)]), ordinary: false, [0, 1], []);
        }
        if (drawn) AddLatents();
        return probes;

        void AddBoth(string name, Tensor x, bool ordinary, int[] rows, int[] latentRows)
        {
            var c = context is null ? null : Rows(context, x.shape[0]);
            probes.Add(new($"x: {name}", false, x, c, ordinary, rows, !AtEdge(x)));
            if (subject.Layer.IsStochastic) return;
            using var _ = no_grad();
            Tensor z;
            // a layer that throws here fails the laws, which run Forward again and report it
            try { z = Rounded(subject.Run(x.to(float64, subject.Device), c?.to(subject.Device), inverse: false).Value.FetchTensor()); }
            catch (Exception e) when (e is not OutOfMemoryException) { return; }
            if (z.isfinite().all().Fetch<bool>()) probes.Add(new($"z of x: {name}", true, z, c, ordinary, latentRows));
        }

        void AddLatents()
        {
            var size = subject.Layer.OutputShapeOf(shape).WithBatch(Ordinary);
            var z = Rounded(Noise.Normal(size, ScalarType.Float64, CPU, generator));
            var c = context is null ? null : Rows(context, Ordinary);
            probes.Add(new("z: ordinary values", true, z, c, Ordinary: true, [0]));
            probes.Add(new("z: zeros", true, zeros_like(z[..1]), c?[..1], Ordinary: false, [0]));
            if (options.Extreme > 0)
            {
                var (low, high) = (-options.Extreme, options.Extreme);
                var extremes = cat([full_like(z[..1], Scalars.Of(high)), full_like(z[..1], Scalars.Of(low)), Mixed(z[2..3], low, high),
                    Mixed(z[3..], high, low)]);
                probes.Add(new(FormattableString.Invariant($"z: extremes (±{high:G6})"), true, extremes, c, Ordinary: false, [2]));
            }
            foreach (var point in options.Points)
                probes.Add(new(FormattableString.Invariant($"z: the point {point:G6}"), true,
                    cat([full_like(z[..1], Scalars.Of(point)), Mixed(z[1..2], point, point)]), c?[..2], Ordinary: false, [0, 1]));
        }
    }

    public void Dispose() => generator.Dispose();

    /// <summary>Each element is a, b, or as it was, with probabilities ¼, ¼, ½.</summary>
    private Tensor Mixed(Tensor ordinary, double a, double b)
    {
        var draw = Noise.Uniform(ordinary.shape, ScalarType.Float64, CPU, generator);
        return where(draw.lt(Scalars.Of(0.25)), full_like(ordinary, Scalars.Of(a)),
            where(draw.lt(Scalars.Of(0.5)), full_like(ordinary, Scalars.Of(b)), ordinary));
    }

    private bool AtEdge(Tensor x) => x.le(Scalars.Of(options.Minimum)).logical_or(x.ge(Scalars.Of(options.Maximum))).any().Fetch<bool>();

    private static Tensor Rows(Tensor source, long count) =>
        Rounded(source.detach().FetchTensor().index_select(0, Scalars.Range(count, CPU).remainder(Scalars.Integer(source.shape[0]))));

    private static Tensor Rounded(Tensor x) => x.to(float32).to(float64);
}
