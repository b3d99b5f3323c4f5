using RealNvp.Kernels;
using RealNvp.Scoring.Maps;

namespace RealNvp.Scoring.Models;

/// <summary>Neural spline flows with couplings, on the line and on circles.</summary>
internal sealed unsafe class SplineReader
{
    private readonly ModelBuilder builder;
    private readonly SplineNumbers numbers;
    private readonly int layers, hidden, blocks;
    private readonly bool standardize, linear;
    private readonly int[] circles, line;
    private readonly double low, high;
    private readonly string kind;
    private readonly List<RowStep> steps = [];
    private int number;

    private SplineReader(ModelBuilder builder)
    {
        this.builder = builder;
        var options = builder.Options;
        layers = options.Whole(options.Has("Couplings") && !options.Has("Layers") ? "Couplings" : "Layers", 2, 4096);
        (hidden, blocks) = (options.Whole("Hidden", 1, 1 << 16), options.Whole("Blocks", 0, 1024));
        (standardize, linear) = (options.Flag("Standardize"), options.Flag("Linear"));
        numbers = new SplineNumbers(options);
        circles = options.List("CircularFeatures", 0, since: 3);
        low = options.Number("CircleLow", double.MinValue, double.MaxValue, since: 3, before: -Math.PI);
        high = options.Number("CircleHigh", double.MinValue, double.MaxValue, since: 3, before: Math.PI);
        kind = builder.BaseKind(since: 3, before: "StandardNormal");
        options.Ignore("Dropout");
        if (builder.Features < 2) throw options.Bad("Shape must be at least [2]");
        if (!(low < high) || !double.IsFinite(high - low)) throw options.Bad("CircleLow must be below CircleHigh");
        for (var i = 0; i < circles.Length; i++)
            if (circles[i] >= builder.Features || (i > 0 && circles[i] <= circles[i - 1]))
                throw options.Bad($"CircularFeatures must be different features of [{builder.Features}], in their order");
        line = [.. ModelBuilder.All(builder.Features).Except(circles)];
    }

    public static RowPlan Read(ModelBuilder builder)
    {
        var reader = new SplineReader(builder);
        return reader.circles.Length == 0 ? reader.Line() : reader.Circles();
    }

    private string Next() => $"bijection.layers.{number++}";

    private RowPlan Line()
    {
        steps.AddRange(builder.Scaling(standardize, Next, line));
        for (var i = 0; i < layers; i++)
        {
            if (linear) steps.Add(builder.Linear(Next(), line));
            Coupling(ModelBuilder.Halves(builder.Features, alternating: true, complement: i % 2 == 1));
        }
        if (linear) steps.Add(builder.Linear(Next(), line));
        return builder.Plan(steps, builder.Density(kind, "base_density", builder.Features, standardize || linear ? null : numbers.Bound));
    }

    private RowPlan Circles()
    {
        Next();
        steps.Add(new CircleRows(circles, low, high, null));
        // each is within a layer for a part of the features
        if (line.Length > 0) steps.AddRange(builder.Scaling(standardize, () => $"{Next()}.bijection", line));
        for (var i = 0; i < layers; i++)
        {
            if (linear && line.Length > 1) steps.Add(builder.Linear($"{Next()}.bijection", line));
            Shift();
            var alternating = i / 2 % 2 == 0 || builder.Features == 2;
            Coupling(ModelBuilder.Halves(builder.Features, alternating, complement: i % 2 == 1));
        }
        Shift();
        if (linear && line.Length > 1) steps.Add(builder.Linear($"{Next()}.bijection", line));
        RowDensity circle = new BoxRows(low, high);
        return builder.Plan(steps, line.Length == 0 ? circle : new ProductRows([(circles, circle),
            (line, builder.Density(kind, "base_density.parts.1", line.Length, box: null))]));
    }

    private void Shift() =>
        steps.Add(new CircleRows(circles, low, high, new FixedNumbers(builder.Finite($"{Next()}.shift", circles.Length))));

    private void Coupling((int[] Kept, int[] Changed) mask)
    {
        var (kept, changed) = mask;
        int[] plain = [.. kept.Except(circles)], angles = [.. kept.Intersect(circles)];
        int[] lines = [.. ModelBuilder.All(changed.Length).Where(i => !circles.Contains(changed[i]))],
            turns = [.. ModelBuilder.All(changed.Length).Except(lines)];
        var (spline, turn) = (numbers.Line(kind == "UniformBox"), numbers.Circle(low, high));
        var parameters = Math.Max(lines.Length > 0 ? spline.Parameters : 0, turns.Length > 0 ? turn.Parameters : 0);
        var key = $"{Next()}.conditioner{(circles.Length > 0 ? ".network" : "")}";
        var network = builder.ResidualMlp(key, plain.Length + (2 * angles.Length), checked(changed.Length * parameters), hidden, blocks,
            builder.ContextSize, builder.Limit);
        List<RowGroup<float>> groups = [];
        if (lines.Length > 0) groups.Add(new(new RowMap<float>(new SplineCode(spline), RowWeight.None), lines));
        if (turns.Length > 0) groups.Add(new(new RowMap<float>(new SplineCode(turn), RowWeight.None), turns));
        steps.Add(new CouplingRows<float>(new RowReading(plain, angles, low, high), changed, network, [.. groups]));
    }
}
