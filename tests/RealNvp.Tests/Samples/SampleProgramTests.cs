using RealNvp.Tests.Infrastructure;
using TorchSharp;
using DensityProgram = RealNvp.Samples.Density2D.Program;
using TableProgram = RealNvp.Samples.Table.Program;

namespace RealNvp.Tests.Samples;

[Collection("Console")]
public class SampleProgramTests
{
    [Fact]
    public void Density2D_writes_its_picture()
    {
        using var folder = new TemporaryFolder();
        var (code, errors) = Run(DensityProgram.Main, "--data", "moons", "--steps", "3", "--out", folder.Path);
        code.Should().Be(0, errors);
        new FileInfo(Path.Combine(folder.Path, "moons.png")).Length.Should().BePositive();
    }

    [Fact]
    public void Table_writes_model_scores_and_pictures()
    {
        using var folder = new TemporaryFolder();
        var (code, errors) = Run(TableProgram.Main, "--epochs", "2", "--out", folder.Path);
        code.Should().Be(0, errors);
        foreach (var name in new[] { "model.safetensors", "scores.csv", "scores.png", "training.png" })
            new FileInfo(Path.Combine(folder.Path, name)).Length.Should().BePositive(name);
        File.ReadLines(Path.Combine(folder.Path, "scores.csv")).Should().HaveCount(570);
    }

    [Fact]
    public void An_unknown_data_set_is_one_clear_line()
    {
        var (code, errors) = Run(DensityProgram.Main, "--data", "bananas");
        code.Should().Be(1);
        errors.Should().Match("error: There is no data set 'bananas'; expected all, *").And.NotContain("   at ");
    }

    [Fact]
    public void A_missing_value_is_one_clear_line()
    {
        using var folder = new TemporaryFolder();
        var (code, errors) = Run(TableProgram.Main, "--csv", folder.Write("t.csv", "a,b\n1,2\n3,\n"), "--out", folder.Path);
        code.Should().Be(1);
        errors.Should().Match("error: *line 3, column 'b': the value is missing*").And.NotContain("   at ");
    }

    internal static (int Code, string Errors) Run(Func<string[], int> main, params string[] args)
    {
        // the programs choose one thread for their small networks, for the whole process
        var (output, errors, threads) = (Console.Out, Console.Error, torch.get_num_threads());
        using var text = new StringWriter();
        try
        {
            Console.SetOut(TextWriter.Null);
            Console.SetError(text);
            return (main(args), text.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
            torch.set_num_threads(threads);
        }
    }
}
