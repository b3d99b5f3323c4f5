using System.Globalization;
using System.Text.RegularExpressions;
using RealNvp.Samples.Posterior;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Samples;

[Collection("Console")]
public partial class PosteriorSampleTests
{
    [Fact]
    public void Quickly_it_finds_the_evidence_of_both_posteriors_and_draws_one()
    {
        using var folder = new TemporaryFolder();
        var text = Output("--quick", "--out", folder.Path);
        var evidences = Evidence().Matches(text);
        evidences.Should().HaveCount(2, "there are two posteriors in {0}", text);
        foreach (Match match in evidences)
        {
            var (exact, found, error) = (Number(match, 1), Number(match, 2), Number(match, 3));
            error.Should().BeInRange(1e-5, 0.05);
            found.Should().BeApproximately(exact, 5 * error);
        }
        new FileInfo(folder.At("logistic.png")).Length.Should().BeGreaterThan(10_000);
    }

    [Fact]
    public void The_formula_and_the_grid_agree_with_sums_over_the_prior()
    {
        using var scope = NewDisposeScope();
        foreach (var posterior in new IPosterior[] { new Regression(0, CPU), new Bioassay(400, CPU) })
        {
            // the flow that is the identity is the prior
            using var prior = new RealNvpModel(RealNvpOptions.Toy2D with { Shape = [posterior.Names.Count] }, seed: 0);
            var estimate = ImportanceSampling.Estimate(prior, posterior.LogDensity, 400_000, batchSize: 50_000, seed: 1);
            estimate.LogZ.Should().BeApproximately(posterior.Exact.LogEvidence, 4 * estimate.StandardError);
            estimate.StandardError.Should().BeLessThan(0.2);
        }
        var fine = new Bioassay(1000, CPU).Exact;
        new Bioassay(250, CPU).Exact.LogEvidence.Should().BeApproximately(fine.LogEvidence, 1e-9);
    }

    private static string Output(params string[] args)
    {
        var (output, errors, threads) = (Console.Out, Console.Error, get_num_threads());
        using var text = new StringWriter();
        try
        {
            Console.SetOut(text);
            Console.SetError(TextWriter.Null);
            Program.Main(args).Should().Be(0);
            return text.ToString();
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
            set_num_threads(threads);
        }
    }

    private static double Number(Match match, int group) => double.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"log evidence +(\S+) +(\S+) ± (\S+)")]
    private static partial Regex Evidence();
}
