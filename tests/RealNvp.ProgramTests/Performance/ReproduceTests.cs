using System.Text.RegularExpressions;
using RealNvp.Reproduce;
using RealNvp.Samples.Common;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Performance;

/// <summary>The program that makes published numbers again, and its page.</summary>
public partial class ReproduceTests
{
    private static readonly string runs = Repository.At("benchmarks", "RealNvp.Reproduce", "runs");

    [Fact]
    public void The_page_is_what_the_committed_runs_say() =>
        File.ReadAllText(Repository.At("docs", "results.md")).ReplaceLineEndings("\n").Should().Be(ResultsPage.Of(runs),
            "`dotnet run -c Release --project benchmarks/RealNvp.Reproduce -- table` writes it");

    [Fact]
    public void Every_committed_run_has_all_of_its_files_and_they_are_small() => RunFolder.Faults(runs).Should().BeEmpty();

    [Fact]
    public void No_committed_run_has_a_path_or_the_name_of_a_machine() =>
        Directory.EnumerateFiles(runs, "*", SearchOption.AllDirectories)
            .Where(f => PathOrHost().IsMatch(File.ReadAllText(f))).Should().BeEmpty();

    [Fact]
    public void A_run_that_lacks_a_file_or_is_of_no_recipe_is_named()
    {
        using var folder = new TemporaryFolder();
        var known = Directory.CreateDirectory(folder.At(Recipes.All[0].Name)).FullName;
        foreach (var name in RunFolder.Names.Skip(1)) File.WriteAllText(Path.Combine(known, name), "");
        var other = Directory.CreateDirectory(folder.At("unheard-of")).FullName;
        foreach (var name in RunFolder.Names) File.WriteAllText(Path.Combine(other, name), "");
        File.WriteAllText(Path.Combine(other, "log.csv"), new string('1', (int)RunFolder.MostBytes + 1));
        RunFolder.Faults(folder.Path).Should().Equal($"{Recipes.All[0].Name} lacks log.csv",
            $"unheard-of is larger than {RunFolder.MostBytes} bytes", "unheard-of is of no recipe");
    }

    [Theory, InlineData("all rows"), InlineData("some rows an epoch"), InlineData("rows drawn anew"), InlineData("flow matching")]
    public void A_run_that_stops_half_way_and_goes_on_gives_what_one_without_a_stop_gives(string what)
    {
        using var folder = new TemporaryFolder();
        var recipe = what switch
        {
            "all rows" => Tiny,
            "some rows an epoch" => Tiny with { RowsPerEpoch = 64 },
            "rows drawn anew" => Tiny with { RowsPerEpoch = 64, Data = new("Moons", "", [], folder =>
                Tiny.Data.Read(folder) with { Draw = (seed, count) => Toy2D.Moons(count, seed) }) },
            _ => Tiny with { Objective = Objective.FlowMatching(), Model = _ => FfjordOptions.Matching2D with { Hidden = 16,
                Method = OdeMethod.Rk4 } },
        };
        RunResult Go(string place, long steps) => Run.Start(recipe, null, folder.At(place), folder.At(place + "-checkpoints"),
            new(Steps: steps), TextWriter.Null);

        var whole = Go("whole", 1000);
        var half = Go("halves", 7);
        half.Ended.Should().Be(RunEnd.Unfinished);
        half.Steps.Should().Be(7, "that is in the middle of an epoch");
        var resumed = Go("halves", 1000);

        whole.Ended.Should().Be(RunEnd.StepsDone);
        resumed.Should().Be(whole with { Minutes = resumed.Minutes });
        resumed.Minutes.Should().BeGreaterThanOrEqualTo(half.Minutes, "the time of both calls counts, in thousandths of a minute");
        Losses("halves").Should().Equal(Losses("whole")).And.HaveCountGreaterThan(2);
        Read("halves", "options.json").Should().Be(Read("whole", "options.json"));
        Read("halves", "model.txt").Should().Be(Read("whole", "model.txt"));
        Go("halves", 1000).Should().Be(resumed, "what has ended is not done again");

        string Read(string place, string file) => File.ReadAllText(Path.Combine(folder.At(place), recipe.Name, file));
        // all but the minutes
        string[] Losses(string place) =>
            [.. Read(place, "log.csv").Split('\n').Select(l => string.Join(',', l.Split(',').Where((_, i) => i != 2)))];
    }

    [Fact]
    public void An_unfinished_run_whose_recipe_got_other_steps_goes_on_to_those()
    {
        using var folder = new TemporaryFolder();
        RunResult Go(Recipe recipe, long steps) =>
            Run.Start(recipe, null, folder.At("runs"), folder.At("checkpoints"), new(Steps: steps), TextWriter.Null);
        Go(Tiny, 7).Ended.Should().Be(RunEnd.Unfinished);
        var ended = Go(Tiny with { Training = o => Tiny.Training(o) with { MaxSteps = 12 } }, 1000);
        (ended.Steps, ended.Ended).Should().Be((12L, RunEnd.StepsDone));
    }

    [Fact]
    public void A_run_whose_minutes_are_over_says_so()
    {
        using var folder = new TemporaryFolder();
        Run.Start(Tiny with { Minutes = 1e-6 }, null, folder.At("runs"), folder.At("checkpoints"), new(), TextWriter.Null)
            .Ended.Should().Be(RunEnd.TimeOver);
    }

    [Fact]
    public void Patches_drawn_anew_are_others_in_each_step_and_in_no_epoch_the_same()
    {
        using var scope = NewDisposeScope();
        using var splits = Tiny.Data.Read("") with { Draw = (seed, count) => full(count, 2, (float)seed) };
        var taken = 0L;
        List<float> seen = [];
        for (var epoch = 0; epoch < 3; epoch++)
            foreach (var batch in Walk.Over(splits, 64, 32, () => taken).Batches(32, 0, 0))
                using (batch)
                {
                    batch.X!.shape.Should().Equal(32, 2);
                    seen.Add(batch.X.mean().item<float>());
                    taken++;
                }
        seen.Should().HaveCount(6).And.OnlyHaveUniqueItems();
    }

    [Fact]
    public void A_recipe_that_needs_a_device_is_refused_on_a_processor_before_any_work()
    {
        using var folder = new TemporaryFolder();
        var recipes = Recipes.All.Where(r => r.NeedsDevice).ToList();
        recipes.Should().NotBeEmpty();
        foreach (var recipe in recipes)
            FluentActions.Invoking(() => Run.Start(recipe, null, folder.At("runs"), folder.At("checkpoints"), new(), TextWriter.Null))
                .Should().Throw<ArgumentException>().WithMessage($"*{recipe.Name}*--device cuda*");
        Directory.EnumerateFileSystemEntries(folder.Path).Should().BeEmpty();
    }

    [Fact]
    public void Every_model_of_the_library_is_among_the_densities_of_the_plane_or_among_the_digits()
    {
        var kinds = typeof(ModelOptions).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(ModelOptions)) && !t.IsAbstract
            // comes from a file alone
            && t != typeof(ImportedOptions)).ToList();
        kinds.Should().HaveCountGreaterThan(5);
        using var digits = DataSets.Digits.Load(null);
        using var plane = DataSets.TwoD[0].Load(null);
        var tried = Recipes.All.Where(r => r.Data == DataSets.Digits).Select(r => r.Model(digits))
            .Concat(Recipes.All.Where(r => r.Data == DataSets.TwoD[0]).Select(r => r.Model(plane))).Select(o => o.GetType());
        kinds.Should().BeSubsetOf(tried);
    }

    [Fact]
    public void A_table_of_densities_has_each_model_on_each_of_six_with_the_same_budget()
    {
        var cells = Recipes.All.Where(r => r.Grid == TwoDRecipes.Grid).ToList();
        cells.Select(c => c.Minutes).Distinct().Should().ContainSingle();
        DataSets.TwoD.Should().HaveCount(6);
        var titles = cells.Select(c => c.Title).Distinct().ToList();
        foreach (var data in DataSets.TwoD) cells.Where(c => c.Data == data).Select(c => c.Title).Should().Equal(titles);
    }

    [Fact]
    public void Pictures_whose_models_are_not_there_say_which()
    {
        using var folder = new TemporaryFolder();
        GridPictures.Draw(folder.Path, folder.At("pictures")).Should().HaveCount(2).And.AllSatisfy(line =>
            line.Should().StartWith("no picture").And.Contain(folder.Path));
        Directory.Exists(folder.At("pictures")).Should().BeFalse();
    }

    [Fact]
    public void Missing_data_are_named_and_where_the_papers_data_come_from()
    {
        using var folder = new TemporaryFolder();
        var sets = Recipes.All.Select(r => r.Data).Distinct().Where(d => d.Files.Count > 0).ToArray();
        sets.Should().HaveCountGreaterThanOrEqualTo(5);
        foreach (var set in sets)
        {
            FluentActions.Invoking(() => set.Load(folder.Path)).Should().Throw<FileNotFoundException>()
                .WithMessage($"*{Path.Combine(folder.Path, set.Files[0])}*not there*https://*");
            FluentActions.Invoking(() => set.Load(null)).Should().Throw<FileNotFoundException>().WithMessage("*--data*");
        }
    }

    [Fact]
    public void Recipes_have_names_of_their_own() => Recipes.All.Select(r => r.Name).Should().OnlyHaveUniqueItems().And.AllSatisfy(n =>
        n.Should().MatchRegex("^[a-z0-9-]+$"));

    private static Recipe Tiny { get; } = new("tiny", "Real NVP", new("Moons", "", [], _ =>
        new(Toy2D.Moons(200, 0), Toy2D.Moons(50, 1), Toy2D.Moons(100, 2))), _ => RealNvpOptions.Toy2D with { Layers = 2, Hidden = 16 })
    {
        Training = o => o with { BatchSize = 32, MaxSteps = 20, Schedule = new CosineSchedule() }, Minutes = 10, Seed = 3,
    };

    [GeneratedRegex(@"(?i)(^|[\s""'=])(/[a-z0-9_.-]+/|[a-z]:\\)|hostname", RegexOptions.Multiline)]
    private static partial Regex PathOrHost();
}
