using System.Xml.Linq;
using RealNvp.Checking;
using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Notebooks;

/// <summary>Results show themselves in a notebook, by a convention of names and without a package of the kernel's.</summary>
public class DisplayTests
{
    /// <summary>Types that methods and properties give and that are no results to look at, and why.</summary>
    private static readonly Dictionary<string, string> parts = new()
    {
        ["AnomalyColumn"] = "a line of what a detector found; the kernel shows a list of records as a table",
        ["CompositeStep"] = "what a composite is written of",
        ["ConditionerSizes"] = "numbers for who makes a network",
        ["CpuTuningReport"] = "two words, which the kernel's own table shows well",
        ["EpochRecord"] = "a line of a TrainingResult; the kernel shows a list of records as a table",
        ["FeatureSurprise"] = "a line of an explanation; the kernel shows a list of records as a table",
        ["LayerStatistics"] = "a line of what LayerPlot draws; the kernel shows a list of records as a table",
        ["LayerSummary"] = "a line of a FlowSummary",
        ["Mask"] = "which numbers a layer keeps: two lists for a program",
        ["NumberSummary"] = "a part of LayerStatistics",
        ["ObjectiveScore"] = "a number on its way to the trainer",
        ["ObjectiveTraits"] = "what an objective says to the trainer",
        ["Pass"] = "what travels through layers",
        ["PlotData"] = "numbers on their way into a picture",
        ["ResidualLogDet"] = "a setting of a layer",
        ["SafeTensorsHeader"] = "lists of names and places in a file; FileDescription is for readers",
        ["TrainerParts"] = "what a trainer is made of",
        ["TrainingBatch"] = "tensors on their way",
        ["TrainingProgress"] = "one of thousands, for a progress bar",
        ["ColumnComparison"] = "a line of a TableComparison",
        ["ColumnSchema"] = "a line of a TableSchema, whose text is a table",
        ["ConditionalDensity"] = "answers questions; its numbers are what methods give",
        ["OnnxGraph"] = "what is written of a flow, on its way to a file",
        ["OnnxValue"] = "a value of an OnnxGraph",
        ["PairComparison"] = "a line of a TableComparison",
        ["Table"] = "data of the user; ToString says rows and columns",
        ["TableColumn"] = "a column of a Table",
        ["TableComparison"] = "its text is a table",
        ["TableImputation"] = "a table and numbers about it",
        ["TableReport"] = "its text is a paragraph for a log",
        ["TableSchema"] = "its text is a table",
        ["TestQuantity"] = "what a diagnostic asks of draws",
        ["UniformityTest"] = "a p-value; part of the results of diagnostics",
    };

    /// <summary>What public methods and properties of the libraries give back:
    /// classes of theirs that are neither modules nor options.</summary>
    public static TheoryData<string> Results => [.. new[] { typeof(Flow).Assembly, typeof(Picture).Assembly }
        .SelectMany(a => a.GetExportedTypes())
        .SelectMany(t => t.GetMethods().Select(m => m.ReturnType).Concat(t.GetProperties().Where(p => p.SetMethod is null)
            .Select(p => p.PropertyType)))
        .Where(t => t is { IsClass: true, IsPublic: true, IsSealed: true }
            && t.Assembly.GetName().Name!.StartsWith("RealNvp", StringComparison.Ordinal))
        .Where(t => !typeof(torch.nn.Module).IsAssignableFrom(t) && !typeof(Delegate).IsAssignableFrom(t) && !t.IsGenericType)
        // what a user sets, and what does work
        .Where(t => !t.Name.EndsWith("Options", StringComparison.Ordinal) && !t.Name.EndsWith("Importer", StringComparison.Ordinal)
            && !typeof(LearningRateSchedule).IsAssignableFrom(t)
            && !typeof(IDisposable).IsAssignableFrom(t)
            && !parts.ContainsKey(t.Name))
        .Select(t => t.FullName!).Distinct().Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Results))]
    public void A_result_has_a_form_for_notebooks(string name)
    {
        var type = typeof(Flow).Assembly.GetType(name) ?? typeof(Picture).Assembly.GetType(name)!;
        NotebookDisplay.FormatterOf(type).Should().NotBeNull(
            "a user leaves it as the last line of a cell: give it [TypeFormatterSource(typeof(HtmlFormatterSource))], or name it in the " +
                "list above, with a reason");
    }

    [Fact]
    public void Every_exception_of_that_list_is_still_there() =>
        parts.Keys.Should().BeSubsetOf(typeof(Flow).Assembly.GetExportedTypes().Concat(typeof(Picture).Assembly.GetExportedTypes())
            .Select(t => t.Name));

    [Fact]
    public void Tables_are_whole_HTML_that_escapes_its_text()
    {
        var result = new TrainingResult
        {
            History = [.. Enumerable.Range(1, 40).Select(e => new EpochRecord
            {
                Epoch = e, Step = 10 * e, Loss = 1.0 / e, BitsPerDim = null, ValidationLoss = 2.0 / e, ValidationBitsPerDim = null,
                    Seconds = 0.1,
            })],
            Step = 400, BestEpoch = 13, WeightsEpoch = 13, Reason = StopReason.Finished, Warnings = ["a < b & c"],
        };
        var rows = Table(result.ToHtml());
        rows.Should().HaveCountLessThan(12).And.Contain(r => r[0] == "1").And.Contain(r => r[0] == "13").And.Contain(r => r[0] == "40");
        result.ToHtml().Should().Contain("a &lt; b &amp; c").And.Contain("Finished after 40 epochs (400 steps)");
        Table((result with { History = [] }).ToHtml()).Should().ContainSingle("that of the names");

        var evaluation = new Evaluation { Count = 1234, MeanLogProb = -1.5, StandardError = 0.01, BitsPerDim = 2,
            Likelihood = Likelihood.Exact,
            FiniteCount = 1234 };
        Table(evaluation.ToHtml()).Select(r => r[1]).Should().Equal("1,234", "-1.500 ± 0.010 nats", "2");
        Table((evaluation with { FiniteCount = 1000, FiniteMeanLogProb = -1, RoundTripError = 1e-6 }).ToHtml()).Select(r => r[1])
            .Should().Contain("1,000 examples, whose mean is -1 nats").And.Contain("to 1E-06");

        var estimate = new ImportanceEstimate
        {
            Count = 1000, LogZ = -5, StandardError = 0.25, EffectiveSampleSize = 500, LargestShare = 0.01, LowerBound = -5.5,
        };
        Table(estimate.ToHtml()).Select(r => r[1]).Should().Equal("1,000", "-5.00 ± 0.25 nats", "500, 50.0 % of all", "1.00 % of their sum",
            "-5.50 nats");
        estimate.ToString().Should()
            .Be("log Z = -5.00 ± 0.25 nats by 1,000 samples, worth 500 of the density (50.0 %); lower bound -5.50.");

        Table(new FlowInfo { Columns = ["a", "<b>"], TrainingRows = 5 }.ToHtml()).Select(r => r[1]).Should().Equal("a, <b>", "5 rows");
    }

    [Theory]
    [InlineData(-88.220512, 0.8712, "-88.22 ± 0.87")]
    [InlineData(-6.1142612, 0.0001, "-6.11426 ± 0.00010")]
    [InlineData(-626.18123, 123.4, "-626 ± 123")]
    [InlineData(0.0042, 0.0996, "0.004 ± 0.100")]
    [InlineData(-4.14081234, 0, "-4.14081 ± 0")]
    [InlineData(1.5, 2e-12, "1.5 ± 2E-12")]
    [InlineData(-4.14081234, double.NaN, "-4.14081")]
    [InlineData(double.NegativeInfinity, double.NaN, "-Infinity")]
    public void A_mean_has_as_many_digits_as_its_error_allows(double mean, double error, string shown)
    {
        var evaluation = new Evaluation { Count = 9, MeanLogProb = mean, StandardError = error, BitsPerDim = 1.98868,
            Likelihood = Likelihood.Exact, FiniteCount = 9 };
        Table(evaluation.ToHtml()).Select(r => r[1]).Should().Equal("9", $"{shown} nats", "1.989");
        evaluation.ToString().Should().Be($"Mean log p(x) of 9 examples: {shown} nats, 1.989 bits per dimension.");
    }

    [Fact]
    public void Options_of_a_file_read_like_code()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.safetensors");
        using (var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8 }, seed: 0)) flow.Save(path);
        try
        {
            Table(FlowModel.Describe(path).ToHtml()).Single(r => r[0] == "options")[1].Should()
                .StartWith("Layers = 8, VectorMask = Alternating, ").And.Contain("Shape = [2]").And.NotContainAny("\"", "null");
        }
        finally { File.Delete(path); }
    }

    [Fact, LeavesNoTensors]
    public void A_check_shows_each_law_and_what_is_broken()
    {
        var rows = Table(FlowCheck.Verify(() => new DiagonalScaling([2]), [2]).ToHtml());
        rows.Should().HaveCountGreaterThan(10).And.OnlyContain(r => r.Count == 6 && (r[1] == "holds" || r[1] == ""));
        var broken = FlowCheck.Verify(() => new WrongLogDet(), [2]);
        Table(broken.ToHtml()).Should().Contain(r => r[0] == nameof(FlowLaw.NumericalLogDet) && r[1] == "BROKEN");
        broken.ToHtml().Should().Contain($"{broken.Failures.Count()} checks failed");
    }

    [Fact]
    public void A_picture_is_shown_as_PNG()
    {
        var (type, text) = NotebookDisplay.Show(new TrainingCurve([1.0, 0.5]));
        type.Should().Be("image/png");
        Convert.FromBase64String(text).AsSpan(1, 3).SequenceEqual("PNG"u8).Should().BeTrue();
    }

    // the texts of the cells; fails if it is no well-formed fragment, or has no script's business in it
    private static List<List<string>> Table(string html)
    {
        html.Should().NotContain("<script");
        return [.. XElement.Parse($"<div>{html}</div>").Descendants("tr").Select(r => r.Elements().Select(c => c.Value).ToList())];
    }

    private sealed class WrongLogDet() : Bijection(nameof(WrongLogDet), [2])
    {
        protected override (torch.Tensor Value, torch.Tensor? LogDet) ForwardCore(torch.Tensor x, Pass pass) => (x.mul(2), null);

        protected override (torch.Tensor Value, torch.Tensor? LogDet) InverseCore(torch.Tensor z, Pass pass) => (z.div(2), null);
    }
}
