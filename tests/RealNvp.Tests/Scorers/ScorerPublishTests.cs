using System.Globalization;
using System.Runtime.InteropServices;
using RealNvp.Scoring;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Scorers;

/// <summary>The package without libtorch as a native program and as a trimmed one.</summary>
public sealed class ScorerPublishTests
{
    [SlowTheory, InlineData("PublishAot"), InlineData("PublishTrimmed")]
    public void A_program_is_published_without_a_warning_and_gives_the_same_numbers(string kind)
    {
        using var project = new GeneratedProject();
        if (kind == "PublishAot")
            Assert.SkipUnless(!OperatingSystem.IsWindows() && (Runs(project, "clang") || Runs(project, "gcc")),
                "needs clang or gcc, which links a native program");
        project.Write("score.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <InvariantGlobalization>true</InvariantGlobalization>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <TrimmerSingleWarn>false</TrimmerSingleWarn>
                <{kind}>true</{kind}>
                <IlcInstructionSet>native</IlcInstructionSet>
              </PropertyGroup>
              <ItemGroup><ProjectReference Include="{Repository.At("src", "RealNvp.Scoring", "RealNvp.Scoring.csproj")}" /></ItemGroup>
            </Project>
            """);
        project.Write("Program.cs", """
            using System.Globalization;
            using RealNvp.Scoring;

            foreach (var file in args)
            {
                var scorer = FlowScorer.Load(file);
                float[] x = new float[scorer.Features * 3], context = new float[scorer.ContextSize * 3], logProb = new float[3];
                for (var i = 0; i < x.Length; i++) x[i] = 0.1f * i - 0.4f;
                scorer.LogProb(x, logProb, context);
                scorer.Encode(x, x, context);
                scorer.Decode(x, x, context);
                Console.WriteLine(string.Join(' ', logProb.Concat(x).Select(v => v.ToString("R", CultureInfo.InvariantCulture))));
            }
            """);
        string[] names = ["Tabular, context", "Spline, Tabular, two circles among five", "MAF, mixture, plain blocks", "IAF, SplineTabular",
            "Conditional mixture", "NICE, Tabular", "Resampled"];
        List<string> files = [], expected = [];
        foreach (var name in names)
        {
            using var model = ScorerModels.Create(name);
            files.Add(project.At($"{files.Count}.safetensors"));
            model.Save(files[^1]);
            expected.Add(Scored(FlowScorer.Load(files[^1])));
        }
        project.DotNet("publish", "-r", RuntimeInformation.RuntimeIdentifier, "--self-contained", "-o", "out", "-v", "q");
        var program = project.At("out", OperatingSystem.IsWindows() ? "score.exe" : "score");
        var (code, output) = project.Run(program, [.. files]);
        code.Should().Be(0, output);
        output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Should().Equal(expected);
        if (kind == "PublishAot") new FileInfo(program).Length.Should().BeLessThan(6_000_000, "runtime and all");
    }

    private static bool Runs(GeneratedProject project, string compiler)
    {
        try { return project.Run(compiler, "--version").ExitCode == 0; }
        catch (System.ComponentModel.Win32Exception) { return false; }
    }

    private static string Scored(FlowScorer scorer)
    {
        float[] x = new float[scorer.Features * 3], context = new float[scorer.ContextSize * 3], logProb = new float[3];
        for (var i = 0; i < x.Length; i++) x[i] = (0.1f * i) - 0.4f;
        scorer.LogProb(x, logProb, context);
        scorer.Encode(x, x, context);
        scorer.Decode(x, x, context);
        return string.Join(' ', logProb.Concat(x).Select(v => v.ToString("R", CultureInfo.InvariantCulture)));
    }
}
