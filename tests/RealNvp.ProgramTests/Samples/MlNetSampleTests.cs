using System.Globalization;
using System.Text.RegularExpressions;
using RealNvp.Samples.MlNet;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Samples;

[Collection("Console")]
public class MlNetSampleTests
{
    [Fact]
    public void Quickly_it_ranks_both_trainers_and_loads_its_model_again()
    {
        using var folder = new TemporaryFolder();
        var (code, text) = Run("--quick", "--out", folder.Path);
        code.Should().Be(0);
        foreach (var trainer in new[] { "NormalizingFlow", "RandomizedPca" })
            double.Parse(Regex.Match(text, $@"{trainer} +(\d\.\d+)").Groups[1].Value, CultureInfo.InvariantCulture).Should()
                .BeGreaterThan(0.7, "chance is 0.5");
        text.Should().Contain("loaded again: log-density");
        new FileInfo(folder.At("model.zip")).Length.Should().BeGreaterThan(10_000);
    }

    [Fact]
    public void A_table_that_it_does_not_have_is_an_error_of_one_line() => Run("--data", "iris").Code.Should().Be(1);

    private static (int Code, string Text) Run(params string[] args)
    {
        var (output, errors, threads) = (Console.Out, Console.Error, torch.get_num_threads());
        using var text = new StringWriter();
        try
        {
            Console.SetOut(text);
            Console.SetError(TextWriter.Null);
            return (Program.Main(args), text.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
            torch.set_num_threads(threads);
        }
    }
}
