namespace RealNvp.Tests.Calibrating;

public class UniformBandTests
{
    [Theory, InlineData(6, 4), InlineData(5, 2), InlineData(4, 6), InlineData(1, 3), InlineData(9, 3)]
    public void The_probability_of_each_outcome_and_the_band_are_those_of_counting_all_outcomes(int count, int values)
    {
        var band = UniformBand.Of(count, values);
        var all = Outcomes(count, values).ToArray();
        all.Sum(o => o.Probability).Should().BeApproximately(1, 1e-12);
        var odd = all.Select(o => Oddest(o.Bins, count, values)).ToArray();
        var accepted = band.Accepted(0.1);
        for (var i = 0; i < all.Length; i++)
        {
            band.Oddest(all[i].Bins).Should().BeApproximately(odd[i], 1e-12);
            var exact = all.Where((_, j) => odd[j] <= odd[i] + 1e-12).Sum(o => o.Probability);
            band.PValue(band.Oddest(all[i].Bins)).Should().BeApproximately(exact, 1e-10);
            var (sum, inside) = (0, true);
            for (var k = 0; k < values - 1; k++)
            {
                sum += all[i].Bins[k];
                inside &= sum >= accepted[k].Low && sum <= accepted[k].High;
            }
            inside.Should().Be(exact > 0.1, "the verdict and the band are one");
        }
    }

    [Theory, InlineData(500, 200), InlineData(1000, 0), InlineData(3000, 1000)]
    public void The_function_leaves_the_band_as_often_as_it_should_and_p_values_are_uniform(int count, int values)
    {
        var (band, random, rejected, below) = (UniformBand.Of(count, values), new Random(1), 0, 0);
        const int repeats = 400;
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            var bins = new int[band.Bins];
            for (var i = 0; i < count; i++) bins[values == 0 ? band.BinOf(random.NextDouble()) : band.BinOf(random.Next(values))]++;
            var p = band.PValue(band.Oddest(bins));
            if (p <= 0.1) rejected++;
            if (p <= 0.5) below++;
        }
        // four standard deviations of the binomial counts
        rejected.Should().BeInRange(16, 64);
        below.Should().BeInRange(150, 240);
    }

    [Fact]
    public void What_is_far_from_uniform_has_a_tiny_p_value_that_is_not_0()
    {
        var band = UniformBand.Of(1000, 100);
        var bins = new int[100];
        bins[3] = 1000;
        band.PValue(band.Oddest(bins)).Should().BeGreaterThan(0).And.BeLessThan(1e-20);
    }

    private static IEnumerable<(int[] Bins, double Probability)> Outcomes(int count, int values)
    {
        if (values == 1)
        {
            yield return ([count], Math.Pow(1, count));
            yield break;
        }
        for (var first = 0; first <= count; first++)
            foreach (var (bins, probability) in Outcomes(count - first, values - 1))
                yield return ([first, .. bins], Choose(count, first) * Math.Pow(1.0 / values, first)
                    * Math.Pow((values - 1.0) / values, count - first) * probability);
    }

    private static double Oddest(int[] bins, int count, int values)
    {
        var (oddest, sum) = (1.0, 0);
        for (var k = 1; k < values; k++)
        {
            sum += bins[k - 1];
            double z = (double)k / values;
            double P(int c) => Choose(count, c) * Math.Pow(z, c) * Math.Pow(1 - z, count - c);
            var (low, high) = (Enumerable.Range(0, sum + 1).Sum(P), Enumerable.Range(sum, count - sum + 1).Sum(P));
            oddest = Math.Min(oddest, Math.Min(1, 2 * Math.Min(low, high)));
        }
        return oddest;
    }

    private static double Choose(int n, int k) => k == 0 ? 1 : Choose(n - 1, k - 1) * n / k;
}
