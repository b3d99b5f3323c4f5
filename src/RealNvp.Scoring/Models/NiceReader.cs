using RealNvp.Kernels;

namespace RealNvp.Scoring.Models;

/// <summary>NICE.</summary>
internal static unsafe class NiceReader
{
    public static RowPlan Read(ModelBuilder builder)
    {
        var options = builder.Options;
        var layers = options.Whole(options.Has("Couplings") && !options.Has("Layers") ? "Couplings" : "Layers", 2, 4096);
        var (hidden, hiddenLayers) = (options.Whole("Hidden", 1, 1 << 16), options.Whole("HiddenLayers", 1, 1024));
        var standardize = options.Flag("Standardize");
        if (builder.Features < 2) throw options.Bad("Shape must be at least [2]");
        var kind = builder.BaseKind(since: 3, before: "StandardLogistic");
        var (steps, number) = (new List<RowStep>(), 0);
        string Next() => $"bijection.layers.{number++}";
        steps.AddRange(builder.Scaling(standardize, Next, ModelBuilder.All(builder.Features)));
        for (var i = 0; i < layers; i++)
        {
            var (kept, changed) = ModelBuilder.Halves(builder.Features, alternating: true, complement: i % 2 == 1);
            var network = builder.Mlp($"{Next()}.conditioner", kept.Length, changed.Length, hidden, hiddenLayers);
            steps.Add(new CouplingRows<float>(new RowReading(kept, []), changed, network,
                [new(new RowMap<float>(new ShiftCode(), RowWeight.None), ModelBuilder.All(changed.Length))]));
        }
        steps.Add(builder.DiagonalScaling(Next()));
        return builder.Plan(steps, builder.Density(kind, "base_density", builder.Features, box: null));
    }
}
