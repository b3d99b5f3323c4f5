using System.Globalization;
using RealNvp.Samples.Common;
using RealNvp.Samples.Table;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Samples;

[Collection("Console")]
public class TableSampleTests
{
    private static readonly string[] small = ["--hidden", "8", "--epochs", "2"];

    [Fact]
    public void It_trains_compares_and_scores_new_rows_with_the_model()
    {
        using var folder = new TemporaryFolder();
        var (code, output, errors) = Run([.. small, "--batch", "256", "--patience", "1", "--out", folder.Path]);
        code.Should().Be(0, errors);
        foreach (var name in new[] { "model.safetensors", "scores.csv", "scores.png", "training.png" })
            new FileInfo(folder.At(name)).Length.Should().BePositive(name);
        File.ReadLines(folder.At("scores.csv")).Should().HaveCount(1457);
        output.Should().MatchRegex(@"flow +0\.\d{4}").And.MatchRegex(@"Mahalanobis \(Gaussian\) +0\.\d{4}").And.MatchRegex(
            @"isolation forest +0\.\d{4}").And.MatchRegex(@"A pass over the training rows takes .*; 2 passes at most");

        // the same rows with the columns turned round, one more, and decimal commas
        var source = File.ReadAllLines(SampleData.Vowels).Select(l => l.Split(',')).ToArray();
        var turned = folder.At("new.csv");
        File.WriteAllLines(turned,
            source.Select((f, i) => $"{(i == 0 ? "id" : $"row{i}")};{string.Join(';', f.Reverse()).Replace('.', ',')}"));
        (code, output, errors) = Run("score", "--load", folder.At("model.safetensors"), "--data", turned, "--out",
            folder.At("new/scores.csv"), "--label", "other_speaker");
        code.Should().Be(0, errors);
        output.Should().Contain("decimal comma").And.Contain("taken by name").And.Contain("not used: id").And.MatchRegex(@"flow +0\.\d{4}");
        Densities(folder.At("new/scores.csv")).Should().Equal(Densities(folder.At("scores.csv")));
        var unusual = File.ReadLines(folder.At("new/scores.csv")).Skip(1)
            .Select(l => double.Parse(l.Split(',')[2], CultureInfo.InvariantCulture)).ToArray();
        unusual.Should().OnlyContain(u => u >= 0 && u <= 1);
        unusual.Take(1406).Average().Should().BeInRange(0.4, 0.6, "normal rows are as usual as held-out ones");

        File.WriteAllLines(turned, source.Select(f => string.Join(',', f.Skip(2))));
        (code, _, errors) = Run("score", "--load", folder.At("model.safetensors"), "--data", turned);
        code.Should().Be(1);
        errors.Should().Match("error: *lacks 2 of the 12 columns*cepstrum_1, cepstrum_2.*It has cepstrum_3*");
    }

    [SlowFact]
    public void On_the_table_that_comes_with_it_a_flow_helps()
    {
        using var folder = new TemporaryFolder();
        var (code, output, errors) = Run("--out", folder.Path);
        code.Should().Be(0, errors);
        var (gain, error) = (Number(output, @"flow - Gaussian +(\S+) ±"), Number(output, @"flow - Gaussian +\S+ ± (\S+)"));
        gain.Should().BeGreaterThan(1).And.BeGreaterThan(5 * error);
        var flow = Number(output, @"  flow +(0\.\d{4}) ");
        flow.Should().BeGreaterThan(Number(output, @"Mahalanobis \(Gaussian\) +(\S+)")).And.BeGreaterThan(Number(output,
            @"isolation forest +(\S+)"));
        Number(output, @"  flow +\S+ ± \S+  \((\S+)\)").Should().BeGreaterThan(-200, "no held-out row is thrown away");
    }

    [Fact]
    public void A_model_without_names_takes_a_table_of_as_many_columns()
    {
        using var folder = new TemporaryFolder();
        using (var model = new MafModel(MafOptions.Tabular(2) with { Hidden = 4, Layers = 1 }, seed: 0))
            model.Save(folder.At("m.safetensors"));
        var (code, output, errors) = Run("score", "--load", folder.At("m.safetensors"), "--data", folder.Write("t.csv", "1,2\n3,4\n"),
            "--out", folder.At("s.csv"));
        code.Should().Be(0, errors);
        output.Should().Contain("no names of columns").And.Contain("the columns are called column1");
        File.ReadAllLines(folder.At("s.csv"))[0].Should().Be("line,log_density");
        Run("score", "--load", folder.At("m.safetensors"), "--data", folder.Write("u.csv", "1,2,3\n")).Errors.Should()
            .Contain("has 3 columns").And.Contain("2 features");
        Run("score", "--load", folder.At("none.safetensors"), "--data", "t.csv").Errors.Should().Contain("There is no model");
    }

    [Theory]
    [InlineData("realnvp")]
    [InlineData("nice")]
    [InlineData("spline")]
    [InlineData("maf")]
    [InlineData("maf-spline")]
    [InlineData("iaf")]
    [InlineData("iaf-spline")]
    public void Every_model_fits_a_table(string model)
    {
        using var folder = new TemporaryFolder();
        var (code, output, errors) = Run([.. small, "--csv", folder.Write("t.csv", Table(200, i => $"{i % 7}.5")), "--model", model,
            "--out", folder.Path]);
        code.Should().Be(0, errors);
        output.Should().Contain("Take care: c").And.Contain("least)");
    }

    [Fact]
    public void Columns_without_density_are_all_left_out_with_a_word()
    {
        using var folder = new TemporaryFolder();
        // the last row alone differs in 'd', and it is an anomaly
        var rows = Enumerable.Range(0, 40)
            .Select(i => $"{i + 1},{Math.Sin(i):R},{Math.Cos(3 * i):R},5,{(i == 39 ? 1 : 0)},,{(i == 39 ? "fraud" : "ok")}".Replace(",,",
            ",7,", StringComparison.Ordinal));
        var path = folder.Write("t.csv", "id,a,b,c,d,e,kind\n" + string.Join('\n', rows));
        var (code, output, errors) = Run([.. small, "--csv", path, "--label", "kind", "--out", folder.Path]);
        code.Should().Be(0, errors);
        output.Should()
            .Contain("count the rows: id").And.Contain(
            "c (5), d (0), e (7). In other rows they differ, which alone tells those: d").And.Contain("40 rows, 2 features").And.Contain(
            "ok is normal (39 rows), fraud is not (1 rows)");
    }

    [Fact]
    public void Time_bounds_the_training_and_keeps_the_best_weights()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.csv", Table(3000, i => $"{Math.Sin(i * 1.7):R}"));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var (code, output, errors) = Run("--csv", path, "--hidden", "8", "--model", "maf", "--epochs", "100000", "--patience", "100000",
            "--time", "0.02", "--out", folder.Path);
        code.Should().Be(0, errors);
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(30), "0.02 minutes were asked for");
        output.Should().Contain("stopped by --time").And.Contain("100000 passes at most, stopped after 1.2 s (--time)").And.Contain(
            "Best validation in epoch");
    }

    [Theory]
    [InlineData("--model is 'glow'; expected one of realnvp, nice, spline, maf", "--model", "glow")]
    [InlineData("--hidden is '0'; expected a whole number from 1 to 4096", "--hidden", "0")]
    [InlineData("--batch is 'many'; expected a whole number, at least 1", "--batch", "many")]
    [InlineData("--time is '-1'; expected a number above 0", "--time", "-1")]
    [InlineData("--separator is 'pipe'; expected one of comma, semicolon, tab", "--separator", "pipe")]
    [InlineData("say with --label", "--csv", "x.csv", "--normal", "0")]
    [InlineData("There is no file", "--csv", "no-such.csv")]
    [InlineData("no column 'kind'", "--label", "kind")]
    [InlineData("no column 'kind'", "--ignore", "kind")]
    [InlineData("--data", "score")]
    public void What_a_user_can_mend_is_one_line(string message, params string[] command)
    {
        using var folder = new TemporaryFolder();
        var (code, _, errors) = Run(command is ["score"] ? command : [.. command, "--out", folder.Path]);
        code.Should().Be(1);
        errors.Should().Contain(message).And.StartWith("error: ").And.NotContain(" at RealNvp.");
    }

    [Theory]
    [InlineData("0 1", "0")]
    [InlineData("1 -1", "1")]
    [InlineData("1.0 -1.0", "1")]
    [InlineData("normal attack", "normal")]
    [InlineData("No Yes", "No")]
    [InlineData("good weird", "good")]
    [InlineData("plain fraud", "plain")]
    [InlineData("M B", "B", "B")]
    [InlineData("1 2 3", "3", "3.0")]
    [InlineData("1 2 3", "1 2", "2", "1")]
    public void Labels_are_understood(string classes, string normal, params string[] given)
    {
        var kinds = classes.Split(' ');
        var isAnomaly = Read(Enumerable.Range(0, 30).Select(i => kinds[i % kinds.Length]), given);
        for (var i = 0; i < 30; i++)
            isAnomaly[i].Should().Be(!normal.Split(' ').Contains(kinds[i % kinds.Length].Replace(".0", "", StringComparison.Ordinal)),
                kinds[i % kinds.Length]);
    }

    [Theory]
    [InlineData("M B", "*M (15 rows), B (15 rows). Say which rows are normal, such as --normal M*")]
    [InlineData("1 2", "*--normal*")]
    [InlineData("normal ok", "*--normal*")]
    [InlineData("a b c", "*a (10 rows), b (10 rows), c (10 rows)*--normal*")]
    [InlineData("1", "*is 1 in all rows*--ignore kind*")]
    [InlineData("0 ?", "*is missing in 15 row(s), such as line 3, 5*")]
    [InlineData("0 1", "*no such class. It has 0 (15 rows), 1 (15 rows)*", "2")]
    [InlineData("0 1", "*no anomaly*", "0", "1")]
    public void Labels_that_leave_a_question_are_refused_with_what_to_do(string classes, string message, params string[] given)
    {
        var kinds = classes.Split(' ');
        FluentActions.Invoking(() => Read(Enumerable.Range(0, 30).Select(i => kinds[i % kinds.Length]), given)).Should().Throw<Exception>()
            .WithMessage(message)
            .Which.Should().Match(e => e is ArgumentException || e is DataFormatException);
    }

    [Fact]
    public void A_column_of_many_values_is_no_label()
    {
        FluentActions.Invoking(() => Read(Enumerable.Range(0, 100).Select(i => $"{i}.5"))).Should().Throw<DataFormatException>()
            .WithMessage("*100 different values*--ignore kind*");
    }

    private static bool[] Read(IEnumerable<string> labels, params string[] normal)
    {
        using var folder = new TemporaryFolder();
        var file = Csv.Open(folder.Write("t.csv", "x,kind\n" + string.Join('\n', labels.Select((l, i) => $"{i % 3}.25,{l}"))),
            new(Header: true));
        return Labels.Read(file, "kind", normal, _ => { });
    }

    private static string Table(int rows, Func<int, string> third) =>
        "a,b,c\n" + string.Join('\n', Enumerable.Range(0, rows).Select(i => string.Create(CultureInfo.InvariantCulture,
            $"{Math.Sin(i):R},{Math.Cos(3.3 * i):R},{third(i)}")));

    private static double Number(string text, string pattern) =>
        double.Parse(System.Text.RegularExpressions.Regex.Match(text, pattern).Groups[1].Value, CultureInfo.InvariantCulture);

    private static double[] Densities(string path) =>
        [.. File.ReadLines(path).Skip(1).Select(l => double.Parse(l.Split(',')[1], CultureInfo.InvariantCulture))];

    private static (int Code, string Output, string Errors) Run(params string[] args)
    {
        var (output, errors, threads) = (Console.Out, Console.Error, torch.get_num_threads());
        using var said = new StringWriter();
        using var told = new StringWriter();
        try
        {
            Console.SetOut(said);
            Console.SetError(told);
            return (Program.Main(args), said.ToString(), told.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
            torch.set_num_threads(threads);
        }
    }
}
