using RealNvp.Internal;
using RealNvp.Tables;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Tables;

/// <summary>The density is one: masses and integrals are 1, maps go back, derivatives are right.</summary>
[LeavesNoTensors]
public class TableDensityTests
{
    public static TheoryData<ColumnSchema> Numbers => [ColumnSchema.Number("x"), ColumnSchema.Number("x", lower: -3),
        ColumnSchema.Number("x", upper: 40), ColumnSchema.Number("x", -3, 40), ColumnSchema.Number("x", heavyTails: true),
        ColumnSchema.Circle("x", 50, -3)];

    [Theory, MemberData(nameof(Numbers))]
    public void A_code_goes_back_and_its_derivative_is_that_of_the_map(ColumnSchema schema)
    {
        var random = new Random(1);
        var codec = ColumnCodec.Fit(schema, Enumerable.Range(0, 200).Select(_ => Math.Clamp(5 + (4 * MixedTables.Normal(random)), -2, 39))
            .ToArray(), "table");
        foreach (var x in new[] { -2.5, 0, 1, 7.25, 30, 39.9 })
        {
            var (code, logDet) = codec.Encode(x);
            codec.Decode(code).Should().BeApproximately(x, 1e-9);
            var slope = (codec.Encode(x + 1e-5).Code - codec.Encode(x - 1e-5).Code) / 2e-5;
            logDet.Should().BeApproximately(Math.Log(slope), 1e-5);
        }
    }

    [Theory, InlineData(1, 3), InlineData(0.1, 0.3), InlineData(0.25, 0.75), InlineData(100, 300)]
    public void A_step_is_counted_without_rounding(double step, double value)
    {
        var values = Enumerable.Range(-20, 60).Select(i => i * step).ToArray();
        var codec = ColumnCodec.Fit(ColumnSchema.Whole("x", step: step), values, "table");
        codec.Decode(codec.Encode(value).Code).Should().Be(value);
        double.IsNaN(codec.Encode(value + (step / 3)).Code).Should().BeTrue();
    }

    [Fact]
    public void Probabilities_of_all_values_of_a_discrete_column_sum_to_one()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        ColumnHead[] heads = [Cells(null, null), new() { Kind = HeadKind.Softmax, Levels = 3, IsOrdered = true }, Cells(-4, null),
            Cells(-3, 5) with { Atoms = [0, 2] },
            Cells(-50, 50) with { HeavyTails = true, Numbers = new() { Scale = 2 } }];
        using var layer = Random(heads);
        foreach (var (column, first, count) in new[] { (0, -60, 121), (1, 0, 3), (2, -4, 60), (3, -3, 9), (4, -50, 101) })
        {
            var x = Row(heads.Length).repeat(count, 1);
            x.select(1, column).copy_(Scalars.Range(count, CPU, first).to(float64));
            var mass = layer.Terms(x, ones_like(x)).select(1, column).exp().sum().FetchDouble();
            mass.Should().BeApproximately(1, 1e-5, "of column {0}", column);
        }
    }

    [Fact]
    public void Densities_and_atoms_of_a_column_integrate_to_one()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        ColumnHead[] heads = [new() { Kind = HeadKind.Line }, new() { Kind = HeadKind.Box, Atoms = [0] }, new() { Kind = HeadKind.Circle },
            new() { Kind = HeadKind.Line, Atoms = [-16, 1.5] }];
        using var layer = Random(heads);
        const int points = 20_000;
        foreach (var (column, low, high) in new[] { (0, -30.0, 30.0), (1, 0, 1), (2, 0, 1), (3, -30, 30) })
        {
            var x = Row(heads.Length).repeat(points, 1);
            // middles of pieces: none is an atom
            x.select(1, column).copy_(Scalars.Range(points, CPU).to(float64).add(0.5).mul((high - low) / points).add(low));
            var integral = layer.Terms(x, ones_like(x)).select(1, column).exp().sum().FetchDouble() * (high - low) / points;
            foreach (var atom in heads[column].Atoms)
            {
                var at = Row(heads.Length);
                at.select(1, column).fill_(atom);
                integral += layer.Terms(at, ones_like(at)).select(1, column).exp().FetchDouble();
            }
            integral.Should().BeApproximately(1, 1e-4, "of column {0}", column);
        }
    }

    [Fact]
    public void Inverse_gives_back_what_forward_took_and_minus_its_log_determinant()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        ColumnHead[] heads = [new() { Kind = HeadKind.Softmax, Levels = 3 }, new() { Kind = HeadKind.Line, Atoms = [-16] }, Cells(-4, null),
            new() { Kind = HeadKind.Box, Atoms = [0, 1] }, new() { Kind = HeadKind.Circle }, Cells(null, null) with { Atoms = [1] }];
        using var layer = Random(heads);
        using var generator = RandomSource.New(6);
        var none = zeros(200, heads.Length, float64);
        var x = layer.Fill(none, none, Noise.Uniform(none.shape, float64, CPU, generator, 1e-4, 1 - 1e-4));
        var known = ones_like(x);
        var (z, logDet) = layer.Forward(x, known);
        z.ge(0).logical_and(z.le(1)).all().Fetch<bool>().Should().BeTrue();
        var (back, minus) = layer.Inverse(z, known);
        back.sub(x).abs().max().FetchDouble().Should().BeLessThan(1e-9);
        minus.add(logDet).abs().max().FetchDouble().Should().BeLessThan(1e-9);
    }

    [Fact]
    public void Draws_of_a_column_have_its_distribution()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        ColumnHead[] heads = [new() { Kind = HeadKind.Softmax, Levels = 4 }, Cells(-4, 6) with { Atoms = [0] },
            new() { Kind = HeadKind.Line, Atoms = [2] }];
        using var layer = Random(heads);
        const int draws = 40_000;
        using var generator = RandomSource.New(5);
        var none = zeros(draws, 3, float64);
        var x = layer.Fill(none, zeros_like(none), Noise.Uniform([draws, 3], float64, CPU, generator, 1e-12, 1 - 1e-12));
        var (first, second) = (x.select(1, 0).FetchDoubles(), x.select(1, 1).FetchDoubles());
        for (var k = 0; k < 4; k++)
        {
            var row = Row(3);
            row.select(1, 0).fill_(k);
            var p = Math.Exp(layer.Terms(row, ones_like(row)).select(1, 0).FetchDouble());
            (first.Count(v => v == k) / (double)draws).Should().BeApproximately(p, 5 * Math.Sqrt(p / draws));
            // the second column given the first
            var given = first.Count(v => v == k);
            for (var value = -4; value <= 6; value++)
            {
                row.select(1, 1).fill_(value);
                var q = Math.Exp(layer.Terms(row, ones_like(row)).select(1, 1).FetchDouble());
                (first.Zip(second).Count(v => v.First == k && v.Second == value) / (double)given).Should()
                    .BeApproximately(q, (5 * Math.Sqrt(q / given)) + 1e-3);
            }
        }
    }

    [Fact]
    public void What_stands_behind_a_column_does_not_change_its_term()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        ColumnHead[] heads = [.. Enumerable.Repeat(new ColumnHead { Kind = HeadKind.Line }, 3),
            new() { Kind = HeadKind.Softmax, Levels = 3 }, Cells(null, null)];
        using var layer = Random(heads);
        var before = layer.Terms(Row(5), ones(1, 5, float64)).FetchDoubles();
        for (var changed = 0; changed < 5; changed++)
        {
            var x = Row(5);
            x.select(1, changed).fill_(2);
            var after = layer.Terms(x, ones(1, 5, float64)).FetchDoubles();
            after[..changed].Should().Equal(before[..changed]);
            if (changed < 4) after[(changed + 1)..].Zip(before[(changed + 1)..]).Should().OnlyContain(p => p.First != p.Second);
        }
    }

    [Theory, InlineData(ScalarType.Float32, 1e-4), InlineData(ScalarType.Float64, 1e-6)]
    public void The_mass_of_a_cell_is_exact_far_out_and_for_narrow_cells(ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        // log(Φ(b) − Φ(a)), computed with 40 digits
        (double A, double B, double Log)[] cases = [(-1, 1, -0.38171514630212607), (8, 9, -35.013618593437148),
            (-9, -8, -35.013618593437148),
            (0, 0.01, -5.52412538574832), (5, 5.0005, -21.021090773970728), (-40, -39, -765.08315656437754)];
        foreach (var (a, b, log) in cases)
            HeadMath.LogMass(tensor([a]).to(dtype), tensor([b]).to(dtype), tensor([Math.Log(b - a)]).to(dtype)).FetchDouble().Should()
                .BeApproximately(log, tolerance * Math.Max(1, Math.Abs(log)), "of {0} to {1}", a, b);
        // edges that are one number
        HeadMath.LogMass(tensor([3.0]).to(dtype), tensor([3 + 1e-9]).to(dtype), tensor([Math.Log(1e-9)]).to(dtype)).FetchDouble().Should()
            .BeApproximately(-4.5 - (0.5 * Math.Log(2 * Math.PI)) + Math.Log(1e-9), 1e-4);
    }

    private static ColumnHead Cells(double? lowest, double? highest) => new()
    {
        Kind = HeadKind.Cells, Lowest = lowest, Highest = highest, Numbers = new ColumnNumbers { Deviation = 3, Mean = 0.5 },
    };

    private static Tensor Row(int columns) => zeros(1, columns, float64).add(0.5).floor();

    // weights that are not at their start, where all columns are alike
    private static TableLayer Random(ColumnHead[] heads)
    {
        using (Weights.Seed(3))
        {
            var layer = new TableLayer(heads, 7, 20, 1, 0);
            layer.to(float64).eval();
            using var generator = RandomSource.New(4);
            foreach (var parameter in layer.parameters())
                parameter.copy_(Noise.Normal(parameter.shape, float64, CPU, generator).mul(0.4));
            return layer;
        }
    }
}
