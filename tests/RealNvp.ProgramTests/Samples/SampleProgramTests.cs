using RealNvp.Tests.Infrastructure;
using TorchSharp;
using DensityProgram = RealNvp.Samples.Density2D.Program;

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
        new FileInfo(Path.Combine(folder.Path, "spline", "moons.png")).Length.Should().BePositive();
    }

    [Fact]
    public void Density2D_draws_a_sheet_of_the_models_that_are_in_the_folder()
    {
        using var folder = new TemporaryFolder();
        var (nothing, why) = Run(DensityProgram.Main, "--sheet", "--out", folder.Path);
        nothing.Should().Be(1);
        why.Should().Match("error: * holds no model. *");

        Run(DensityProgram.Main, "--data", "moons", "--model", "matching", "--steps", "2", "--out", folder.Path).Code.Should().Be(0);
        var (code, errors) = Run(DensityProgram.Main, "--sheet", "--out", folder.Path);
        code.Should().Be(0, errors);
        new FileInfo(Path.Combine(folder.Path, "sheet.png")).Length.Should().BePositive();
        File.ReadAllText(Path.Combine(folder.Path, "table.md")).Should().Match("| data | matching |*| moons | -*");
    }

    [Fact]
    public void An_unknown_data_set_is_one_clear_line()
    {
        var (code, errors) = Run(DensityProgram.Main, "--data", "bananas");
        code.Should().Be(1);
        errors.Should().Match("error: There is no data set 'bananas'; expected all, *").And.NotContain("   at ");
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
