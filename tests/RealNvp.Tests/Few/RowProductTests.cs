using System.Numerics;
using System.Runtime.InteropServices;
using RealNvp.Kernels;

namespace RealNvp.Tests.Few;

/// <summary>The product of few rows with a weight as it lies: both dtypes, all vectors, sizes around those of vectors.</summary>
public unsafe class RowProductTests
{
    private static readonly int[] rows = [1, 2, 3, 4, 5, 8, 9, 16], inputs = [0, 1, 3, 5, 8, 17, 40], units = [1, 2, 4, 7, 9, 70];

    [Theory, InlineData(512), InlineData(256), InlineData(128)]
    public void It_is_the_product(int bits)
    {
        var before = LaneWidth.Bits;
        LaneWidth.Bits = bits;
        try
        {
            foreach (var row in rows)
                foreach (var input in inputs)
                    foreach (var unit in units)
                        foreach (var parts in (int[])[0, 7])
                        {
                            Check<float>(row, input, unit, parts, 1e-5);
                            Check<double>(row, input, unit, parts, 1e-13);
                        }
        }
        finally { LaneWidth.Bits = before; }
    }

    // eight vectors of a row stay in registers
    [Fact]
    public void A_row_of_eight_vectors_is_a_product_too()
    {
        foreach (var units in (int[])[7, 8, 9, 16, 63, 64, 65, 128, 135])
        {
            Wide<float>(128, units, 2e-5);
            Wide<float>(64, units, 2e-5);
            Wide<double>(64, units, 1e-13);
        }
        // more units than go together
        Wide<float>(128, 1030, 2e-5);
        Wide<float>(3, 2050, 1e-6);
    }

    private static void Wide<T>(int inputs, int units, double tolerance) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var random = new Random(units);
        Room<T> x = new(inputs), weight = new(inputs * units), result = new(units);
        foreach (var room in (Room<T>[])[x, weight]) room.Fill(random);
        RowProduct<T>.Run(1, new(x.At, 1, inputs), inputs, weight.At, inputs, units,
            new RowFinish<T> { Result = new(result.At, 1, units) });
        for (var i = 0; i < units; i++)
        {
            double expected = 0;
            for (var k = 0; k < inputs; k++) expected += x[k] * weight[(i * inputs) + k];
            result[i].Should().BeApproximately(expected, tolerance, "of unit {0} of {1}, {2} inputs", i, units, inputs);
        }
    }

    [Theory, InlineData(512), InlineData(256), InlineData(128)]
    public void Units_see_the_part_that_is_theirs(int bits)
    {
        var before = LaneWidth.Bits;
        LaneWidth.Bits = bits;
        try
        {
            foreach (var width in (int[])[3, 8, 10, 16, 17, 40, 100])
                foreach (var row in (int[])[1, 2, 3, 16])
                    foreach (var apart in (int[])[1, 3])
                    {
                        CheckFlights<float>(row, width, apart, 1e-5);
                        CheckFlights<double>(row, width, apart, 1e-13);
                    }
        }
        finally { LaneWidth.Bits = before; }
    }

    // flights of all sizes, with what they see anywhere; the units of one lie some rows of the weight apart
    private static void CheckFlights<T>(int rows, int width, int apart, double tolerance)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var random = new Random(rows + (100 * width) + apart);
        RowFlight[] flights = [.. ((int[])[0, 1, 2, 4, 7, 9, 14, 0, 70, 65, 130, 3]).Select(count =>
        {
            var from = random.Next(width);
            // the last row that a flight reads is the last one of the weight
            return new RowFlight(((nint)random.Next(2) * width) + from, from, random.Next(width - from + 1), count);
        })];
        var units = flights.Sum(f => f.Units);
        Room<T> x = new(rows * width), weight = new(((130 * apart) + 1) * width), result = new(rows * units);
        foreach (var room in (Room<T>[])[x, weight]) room.Fill(random);
        RowProduct<T>.Run(rows, new(x.At, 1, width), width, weight.At, (nint)apart * width, flights,
            new RowFinish<T> { Result = new(result.At, 1, units) });
        double farthest = 0;
        var unit = 0;
        foreach (var (at, from, inputs, count) in flights)
            for (var i = 0; i < count; i++, unit++)
                for (var r = 0; r < rows; r++)
                {
                    double expected = 0;
                    for (var k = 0; k < inputs; k++) expected += x[(r * width) + from + k] * weight[(int)at + (i * apart * width) + k];
                    farthest = Math.Max(farthest, Math.Abs(result[(r * units) + unit] - expected));
                }
        farthest.Should().BeLessThan(tolerance, "of {0} rows, {1} inputs, units {2} apart", rows, width, apart);
    }

    [Fact]
    public void A_number_that_is_not_one_stays()
    {
        var (x, weight, result) = (new Room<float>(64), new Room<float>(64), new Room<float>(64));
        for (var i = 0; i < 64; i++) (x.At[i], weight.At[i]) = (1, i % 5 == 0 ? float.NaN : 1);
        RowProduct<float>.Run(1, new(x.At, 1, 4), 3, weight.At, 3, 4, new RowFinish<float> { Relu = new(result.At, 1, 4) });
        for (var unit = 0; unit < 4; unit++)
            double.IsNaN(result[unit]).Should().Be(Enumerable.Range(unit * 3, 3).Any(i => i % 5 == 0));
    }

    // of the parts of a finish: 1 a bias that lies apart, 2 something added, 4 relu
    private static void Check<T>(int rows, int inputs, int units, int parts, double tolerance)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var random = new Random(rows + (100 * inputs) + (10000 * units));
        Room<T> from = new(rows * 64), weight = new(units * 64), bias = new(2 * units), sum = new(128 * 16), relu = new(128 * 16),
            result = new(16 * 128);
        foreach (var room in (Room<T>[])[from, weight, bias]) room.Fill(random);
        RowUnits<T> added = RowUnits<T>.Place(sum.At, 80), active = RowUnits<T>.Place(relu.At, 80);
        for (var i = 0; i < units; i++)
            for (var r = 0; r < rows; r++) added[i, r] = T.CreateTruncating(i - r);
        var finish = new RowFinish<T> { Result = new(result.At, 1, 128) };
        if ((parts & 1) != 0)
        {
            finish.Bias = bias.At;
            finish.BiasStep = 2;
        }
        if ((parts & 2) != 0) finish.Addend = added;
        if ((parts & 4) != 0) finish.Relu = active;
        RowProduct<T>.Run(rows, new(from.At, 1, 64), inputs, weight.At, 64, units, finish);
        double apart = 0;
        for (var r = 0; r < rows; r++)
            for (var i = 0; i < units; i++)
            {
                double expected = 0;
                for (var k = 0; k < inputs; k++) expected += from[(r * 64) + k] * weight[(i * 64) + k];
                if ((parts & 1) != 0) expected += bias[2 * i];
                if ((parts & 2) != 0) expected += i - r;
                apart = Math.Max(apart, Math.Abs(result[(r * 128) + i] - expected));
                if ((parts & 4) != 0) apart = Math.Max(apart, Math.Abs(double.CreateTruncating(active[i, r]) - Math.Max(0, expected)));
            }
        apart.Should().BeLessThan(tolerance, "of {0} rows, {1} inputs, {2} units, parts {3}", rows, inputs, units, parts);
    }

    // memory that does not move, with the boundaries of cache lines
    private sealed class Room<T>(int count) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly T[] values = GC.AllocateArray<T>(Math.Max(count, 1), pinned: true);

        public T* At => (T*)Marshal.UnsafeAddrOfPinnedArrayElement(values, 0);

        public double this[int i] => double.CreateTruncating(values[i]);

        public void Fill(Random random)
        {
            for (var i = 0; i < values.Length; i++) values[i] = T.CreateTruncating((2 * random.NextDouble()) - 1);
        }
    }
}
