using RealNvp.Kernels;
using RealNvp.Scoring.Maps;

namespace RealNvp.Scoring.Models;

/// <summary>Masked and inverse autoregressive flows.</summary>
internal static unsafe class AutoregressiveReader
{
    public static RowPlan Read(ModelBuilder builder, bool inverted)
    {
        var options = builder.Options;
        var standardize = options.Flag("Standardize");
        var (layers, hidden, blocks) = (options.Whole("Layers", 1, 4096), options.Whole("Hidden", 1, 1 << 16),
            options.Whole("Blocks", 0, 1024));
        var (residual, norm) = (options.Flag("Residual"), options.Flag("FlowBatchNorm"));
        var transformer = options.Word("Transformer", ["Affine", "Spline", "Mixture"]);
        var numbers = new SplineNumbers(options);
        var components = options.Whole("Components", 1, 64);
        var kind = builder.BaseKind(since: 3, before: "StandardNormal");
        options.Ignore("Dropout");
        var spline = numbers.Line(kind == "UniformBox");
        var perFeature = transformer switch
        {
            "Affine" => 2,
            "Spline" => spline.Parameters,
            _ => MixtureLimits.Parameters(components),
        };
        var (steps, number) = (new List<RowStep>(), 0);
        string Next() => $"bijection.layers.{number++}";
        steps.AddRange(builder.Scaling(standardize, Next, ModelBuilder.All(builder.Features)));
        for (var i = 0; i < layers; i++)
        {
            var key = inverted ? $"{Next()}.bijection" : Next();
            var (network, sequence) = builder.Made($"{key}.made", perFeature, hidden, blocks, residual, reversed: i % 2 == 1);
            var map = transformer switch
            {
                "Affine" => new RowMap<float>(new AffineCode(shiftFirst: false), builder.Kept($"{key}.transformer.scale", 1)),
                "Spline" => new RowMap<float>(new SplineCode(spline), RowWeight.None),
                _ => new MixtureRowMap<float>(new MixtureCode(components), new MixtureRootCode(components)),
            };
            var all = ModelBuilder.All(builder.Features);
            var pass = new CouplingRows<float>(new RowReading(all, []), all, network, [new(map, all)]);
            steps.Add(new SequenceRows(pass, sequence, network, map, inverted));
            if (norm) steps.Add(builder.BatchNorm(Next(), all));
        }
        double? box = transformer == "Spline" && !standardize && !norm ? numbers.Bound : null;
        return builder.Plan(steps, builder.Density(kind, "base_density", builder.Features, box));
    }
}
