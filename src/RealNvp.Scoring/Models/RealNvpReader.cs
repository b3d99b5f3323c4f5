using RealNvp.Kernels;
using RealNvp.Scoring.Maps;

namespace RealNvp.Scoring.Models;

/// <summary>Real NVP for vectors.</summary>
internal static unsafe class RealNvpReader
{
    public static RowPlan Read(ModelBuilder builder)
    {
        var options = builder.Options;
        var layers = options.Whole(options.Has("Couplings") && !options.Has("Layers") ? "Couplings" : "Layers", 2, 4096);
        var alternating = options.Word("VectorMask", ["Alternating", "Halves"]) == "Alternating";
        var affine = options.Word("Coupling", ["Affine", "Additive"]) == "Affine";
        var shiftFirst = options.Word("Order", ["ScaleThenShift", "ShiftThenScale"]) == "ShiftThenScale";
        var (hidden, blocks) = (options.Whole("Hidden", 1, 1 << 16), options.Whole("Blocks", 0, 1024));
        var (standardize, norm, scaling) = (options.Flag("Standardize"), options.Flag("FlowBatchNorm"), options.Flag("DiagonalScaling"));
        var alpha = options.PositiveOrNull("LogitAlpha");
        if (alpha >= 0.5 || (standardize && alpha is not null) || builder.Features < 2)
            throw options.Bad("LogitAlpha must be below 0.5 and not beside Standardize, and Shape at least [2]");
        var kind = builder.BaseKind(since: 1, before: "StandardNormal");
        // of training, and of images, which the first files had too
        options.Ignore("Momentum", "HorizontalFlips", "Scales", "NetworkBatchNorm", "Statistics", "MaskAsInput", "ConcatenatedRelu");

        var (steps, number) = (new List<RowStep>(), 0);
        string Next() => $"bijection.layers.{number++}";
        if (alpha is { } a)
        {
            Next();
            steps.Add(new LogitRows(ModelBuilder.All(builder.Features), a));
        }
        steps.AddRange(builder.Scaling(standardize, Next, ModelBuilder.All(builder.Features)));
        for (var i = 0; i < layers; i++)
        {
            var key = Next();
            var (kept, changed) = ModelBuilder.Halves(builder.Features, alternating, complement: i % 2 == 1);
            var network = builder.ResidualMlp($"{key}.conditioner", kept.Length, changed.Length * (affine ? 2 : 1), hidden, blocks,
                builder.ContextSize, builder.Limit);
            var map = affine
                ? new RowMap<float>(new AffineCode(shiftFirst), builder.Kept($"{key}.transformer.scale", changed.Length))
                : new RowMap<float>(new ShiftCode(), RowWeight.None);
            steps.Add(new CouplingRows<float>(new RowReading(kept, []), changed, network, [new(map, ModelBuilder.All(changed.Length))]));
            if (norm) steps.Add(builder.BatchNorm(Next(), changed));
        }
        if (scaling) steps.Add(builder.DiagonalScaling(Next()));
        return builder.Plan(steps, builder.Density(kind, "base_density", builder.Features, box: null));
    }
}
