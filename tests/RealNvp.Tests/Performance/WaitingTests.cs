using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Performance;

/// <summary>What a device is asked for together gives what it gives one by
/// one, in fewer questions. The CPU stands in for the device.</summary>
public class WaitingTests
{
    [Theory, InlineData("planar"), InlineData("sylvester"), InlineData("mixture")]
    public void A_search_for_roots_that_asks_every_eighth_step_ends_in_the_same_bits(string name)
    {
        using var scope = NewDisposeScope();
        using var plain = KernelSwitch.AllOff();
        using Bijection layer = name switch
        {
            "planar" => new PlanarLayer([4]),
            "sylvester" => new SylvesterLayer([4], 3),
            _ => new CouplingLayer([4], Mask.Alternating(4), new MixtureCdfTransformer(3), size => new Mlp(size.Inputs, size.Outputs, 16)),
        };
        layer.to(float64);
        RandomWeights.Draw(layer, 3, 0.7);
        layer.eval();
        var y = Noise.Normal([200, 4], float64, CPU, RandomSource.New(1)).mul(Scalars.Of(3));
        var (one, few) = (Inverse(1), Inverse(RootSearch.StepsOnDevice));
        one.Value.eq(few.Value).all().item<bool>().Should().BeTrue();
        few.Questions.Should().BeLessThan((one.Questions / 3) + 8);

        (Tensor Value, long Questions) Inverse(int every)
        {
            RootSearch.Every = every;
            try
            {
                var before = HostFetch.Count;
                return (layer.Inverse(y).Value, HostFetch.Count - before);
            }
            finally { RootSearch.Every = null; }
        }
    }

    [Theory, MemberData(nameof(PresetTable.OneOfEach), MemberType = typeof(PresetTable))]
    public void An_evaluation_that_fetches_many_batches_together_gives_the_same_figures(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name);
        var (x, context) = (PresetTable.Examples(model.ModelOptions, 23), PresetTable.Context(model.ModelOptions, 23));
        var counts = new List<long>();
        Evaluation Evaluate(int together)
        {
            var before = HostFetch.Count;
            var result = model.Evaluate(x, context, 2, 7, null, false, together, default);
            counts.Add(HostFetch.Count - before);
            return result;
        }
        Evaluate(5).Should().Be(Evaluate(1));
        (counts[1] - counts[0]).Should().Be(12 - 3, "twelve batches are fetched in three parts");
    }

    [Fact]
    public void A_fault_in_one_of_many_batches_is_named_by_its_row_and_minus_infinity_is_counted()
    {
        using var scope = NewDisposeScope();
        using var box = new Flow([3], new DiagonalScaling([3]), new UniformBox([3], -1, 1));
        var x = zeros(20, 3);
        x[13, 1] = 5;
        box.Evaluate(x, null, 3, 0, null, false, 4, default).FiniteCount.Should().Be(19);

        using var faulty = new Flow([3], new Chain(new DiagonalScaling([3]), new NaNAbove()));
        var evaluate = () => faulty.Evaluate(x, null, 3, 0, null, false, 4, default);
        evaluate.Should().Throw<NonFiniteException>().WithMessage("*row 13*layers.1*");
    }

    // a layer of a user's
    private sealed class NaNAbove() : Bijection(nameof(NaNAbove), [3])
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.masked_fill(x.gt(1), float.NaN), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }
}
