using CsCheck;

namespace RealNvp.Tests.Laws;

/// <summary>What random layers are made of: masks and networks.</summary>
public static partial class LayerGenerator
{
    private static long ParametersOf(Func<ScalarTransformer> make)
    {
        using var transformer = make();
        return transformer.ParametersPerElement;
    }

    private static Gen<GeneratedNetwork> Network(bool image, long inputs, long outputs, long context)
    {
        if (!image)
            return Gen.Select(Gen.Long[3, 8], Gen.Int[0, 2],
                (hidden, blocks) => new GeneratedNetwork($"new ResidualMlp({inputs}, {outputs}, {hidden}, {blocks}, {context})",
                () => new ResidualMlp(inputs, outputs, hidden, blocks, context)));
        return from sizes in Gen.Select(Gen.Long[2, 5], Gen.Int[0, 1])
               from flags in Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, OneOf(BatchStatistics.Current, BatchStatistics.Running))
               let options = new ResidualConvNetOptions { HiddenChannels = sizes.Item1, Blocks = sizes.Item2, BatchNorm = flags.Item1,
                   ConcatenatedRelu = flags.Item2, DoubleInput = flags.Item3, Statistics = flags.Item4, ContextSize = context }
               select new GeneratedNetwork(
                   $"new ResidualConvNet({inputs}, {outputs}, new() {{ HiddenChannels = {options.HiddenChannels}, Blocks = " +
                   $"{options.Blocks}, BatchNorm = {Bool(options.BatchNorm)}, ConcatenatedRelu = {Bool(options.ConcatenatedRelu)}, " +
                   $"DoubleInput = {Bool(options.DoubleInput)}, Statistics = BatchStatistics.{options.Statistics}, ContextSize = " +
                   $"{context} }})", () => new ResidualConvNet(inputs, outputs, options));
    }

    private static Gen<GeneratedMask>? Masks(EventShape shape)
    {
        var elements = shape.NumElements;
        if (elements < 2) return null;
        List<Gen<GeneratedMask>> masks = [Boolean(shape)];
        if (shape.Count == 1)
        {
            masks.Add(Gen.Const(new GeneratedMask($"Mask.Alternating({shape[0]})", () => Mask.Alternating(shape[0]))));
            masks.Add(Gen.Const(new GeneratedMask($"Mask.FirstHalf({shape[0]})", () => Mask.FirstHalf(shape[0]))));
        }
        else
        {
            var (c, h, w) = (shape[0], shape[1], shape[2]);
            if (h * w > 1)
            {
                masks.Add(Gen.Const(new GeneratedMask($"Mask.Checkerboard({h}, {w})", () => Mask.Checkerboard(h, w), true)));
                masks.Add(Boolean([h, w]));
            }
            if (c > 1)
            {
                masks.Add(Gen.Const(new GeneratedMask($"Mask.ChannelWise({c})", () => Mask.ChannelWise(c))));
                masks.Add(Boolean([c, 1, 1]));
            }
        }
        return from mask in Gen.OneOf([.. masks])
               from complement in Gen.Bool
               select complement ? mask with { Code = "!" + mask.Code, Make = () => !mask.Make() } : mask;
    }

    private static Gen<GeneratedMask> Boolean(EventShape shape) =>
        from kept in Gen.Bool.Array[(int)shape.NumElements].Where(k => k.Any(b => b) && !k.All(b => b))
        select new GeneratedMask($"new Mask({Text(shape)}, [{string.Join(", ", kept.Select(Bool))}])", () => new Mask(shape, kept),
            shape.Count == 2);

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static string Bool(bool value) => value ? "true" : "false";

    private sealed record GeneratedMask(string Code, Func<Mask> Make, bool OfPixels = false);

    private sealed record GeneratedNetwork(string Code, Func<Conditioner> Make);
}
