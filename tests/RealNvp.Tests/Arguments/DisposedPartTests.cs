using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>A layer, density, network or encoder that is disposed: whoever takes it says which one it is.</summary>
public sealed class DisposedPartTests
{
    private static readonly Dictionary<string, (string Name, Func<IDisposable> Build)> takers = new()
    {
        ["flow"] = ("DiagonalScaling", () => new Flow([4], Gone(new DiagonalScaling([4])))),
        ["flow, no weights"] = ("Permutation", () => new Flow([4], Gone(new Permutation([4], [1, 0, 3, 2])))),
        ["flow, a chain"] = ("Chain", () => new Flow([4], Gone(new Chain(new DiagonalScaling([4]))))),
        ["flow, a part of a chain"] = ("DiagonalScaling",
            () => new Flow([4], PartGone(new DiagonalScaling([4]), part => new Chain(new ActNorm([4]), part)))),
        ["flow, density"] = ("StandardNormal", () => new Flow([4], new DiagonalScaling([4]), Gone(new StandardNormal([4])))),
        ["flow, encoder"] = ("LabelEncoder", () => new Flow([4], new AffineCouplingLayer([4], Mask.FirstHalf(4),
            size => new Mlp(size.Inputs, size.Outputs, 8, 1, size.ContextSize), contextSize: 2), null, Gone(new LabelEncoder(2)))),
        ["chain"] = ("ActNorm", () => new Chain(new DiagonalScaling([4]), Gone(new ActNorm([4])))),
        ["inverted"] = ("ActNorm", () => new InvertedLayer(Gone(new ActNorm([4])))),
        ["multi-scale"] = ("ActNorm", () => new MultiScaleLayer([4, 2, 2], Gone(new ActNorm([4, 2, 2])), new ActNorm([2, 2, 2]))),
        ["subset"] = ("ActNorm", () => new SubsetLayer([4], [0, 1], Gone(new ActNorm([2])))),
        ["variational dequantization"] = ("ActNorm", () => new VariationalDequantization([2], 4, Gone(new ActNorm([4])))),
        ["coupling, network"] = ("Mlp", () => new AffineCouplingLayer([4], Mask.FirstHalf(4), Gone(new Mlp(2, 4, 8)))),
        ["coupling, linear"] = ("Linear", () => new AffineCouplingLayer([4], Mask.FirstHalf(4), Gone(nn.Linear(2, 4)))),
        ["coupling, sequential"] = ("Sequential", () => new AffineCouplingLayer([4], Mask.FirstHalf(4),
            Gone(nn.Sequential(nn.Linear(2, 4))))),
        ["coupling, made by a function"] = ("Mlp", () => new AdditiveCouplingLayer([4], Mask.FirstHalf(4),
            size => Gone(new Mlp(size.Inputs, size.Outputs, 8)))),
        ["coupling, transformer"] = ("SplineTransformer", () => new CouplingLayer([4], Mask.FirstHalf(4), Gone(new SplineTransformer(4)),
            size => new Mlp(size.Inputs, size.Outputs, 8))),
        ["autoregressive"] = ("Made", () => new AutoregressiveLayer(new AffineTransformer([1]), Gone(new Made(4, 2)))),
        ["autoregressive, transformer"] = ("AffineTransformer", () => new AutoregressiveLayer(Gone(new AffineTransformer([1])),
            new Made(4, 2))),
        ["product"] = ("DiagonalNormal", () => new ProductDensity([4], ([0, 1], Gone(new DiagonalNormal([2]))),
            ([2, 3], new StandardNormal([2])))),
        ["mixed"] = ("AffineTransformer", () => new MixedTransformer(new SplineTransformer(4), Gone(new AffineTransformer([1])))),
        ["encoder"] = ("Linear", () => new NetworkEncoder([3], 2, Gone(nn.Linear(3, 2)))),
        ["trainer"] = ("Flow", () => new Trainer(Gone(new Flow([4], new DiagonalScaling([4]))))),
    };

    public static TheoryData<string> Takers => [.. takers.Keys];

    [Theory, MemberData(nameof(Takers))]
    public void Whoever_takes_a_disposed_part_names_it(string taker)
    {
        var (name, build) = takers[taker];
        build.Should().Throw<ObjectDisposedException>().WithMessage($"*{name}*has been disposed*");
    }

    [Fact]
    public void A_layer_that_is_disposed_in_a_flow_is_named_when_the_flow_is_used()
    {
        using var scope = NewDisposeScope();
        foreach (var layer in new Bijection[] { new Permutation([4], [1, 0, 3, 2]), new ActNorm([4]),
            new AffineCouplingLayer([4], Mask.FirstHalf(4), size => new Mlp(size.Inputs, size.Outputs, 8)) })
        {
            using var flow = new Flow([4], new Chain(new DiagonalScaling([4]), layer));
            layer.Dispose();
            foreach (var use in new Action[] { () => flow.LogProb(zeros(2, 4)), () => flow.Sample(2),
                () => flow.NegativeLogLikelihood(zeros(2, 4)) })
                use.Should().Throw<ObjectDisposedException>().WithMessage($"*layers.1 ({layer.GetName()})*has been disposed*");
        }
    }

    private static T Gone<T>(T module) where T : nn.Module
    {
        module.Dispose();
        return module;
    }

    private static TWhole PartGone<TPart, TWhole>(TPart part, Func<TPart, TWhole> whole) where TPart : nn.Module
    {
        var made = whole(part);
        part.Dispose();
        return made;
    }
}
