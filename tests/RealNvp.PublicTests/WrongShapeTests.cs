using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A layer of a user's that gives a wrong shape is named, with what it gave and what was expected.</summary>
public class WrongShapeTests
{
    public static TheoryData<string, string> Mistakes => new()
    {
        { "value", "returned a value of shape (7,); expected (7, 2)" },
        { "log-det", "returned a log-determinant of shape (7, 2); expected one number an example, (7,)" },
        { "log-det of the batch", "returned a log-determinant of shape (); expected one number an example, (7,)" },
        { "null", "returned null as its value" },
    };

    [Theory, MemberData(nameof(Mistakes))]
    public void Every_way_to_a_layer_of_a_wrong_shape_names_it(string mistake, string message)
    {
        using var scope = NewDisposeScope();
        var x = randn(7, 2);
        foreach (var inside in new Func<Bijection, Bijection>[]
            { layer => layer, layer => new Chain(new DiagonalScaling([2]), layer), layer => new InvertedLayer(new InvertedLayer(layer)) })
        {
            using var flow = new Flow([2], inside(new Misshapen(mistake)));
            foreach (var (core, use) in new (string, Action)[]
            {
                ("ForwardCore", () => flow.LogProb(x)), ("ForwardCore", () => flow.Encode(x)), ("InverseCore", () => flow.Sample(7)),
                ("InverseCore", () => flow.Decode(x)), ("ForwardCore", () => flow.NegativeLogLikelihood(x)),
                ("ForwardCore", () => flow.Bijection.Forward(x)), ("InverseCore", () => flow.Bijection.Inverse(x)),
            })
            {
                // and again: a fault is not forgotten
                for (var i = 0; i < 2; i++)
                    use.Should().Throw<InvalidOperationException>().WithMessage($"*Misshapen.{core}*{message}*");
            }
        }
    }

    private sealed class Misshapen(string mistake) : Bijection(nameof(Misshapen), [2])
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => mistake switch
        {
            "value" => (x.sum(1), null),
            "log-det" => (x.mul(2), zeros_like(x)),
            "log-det of the batch" => (x.mul(2), zeros_like(x).sum()),
            _ => (null!, null),
        };

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => ForwardCore(z, pass);
    }
}
