using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The package for ML.NET from outside, and its models where the package is not.</summary>
public sealed class MlNetPackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    private const string Links = """
        <RuntimeIdentifier>$(NETCoreSdkRuntimeIdentifier)</RuntimeIdentifier>
        <SelfContained>false</SelfContained>
        <CreateSymbolicLinksForCopyLocalIfPossible Condition="!$([MSBuild]::IsOSPlatform('Windows'))">true</CreateSymbolicLinksForCopyLocalIfPossible>
        """;

    [SlowFact]
    public void A_model_that_the_package_trains_loads_in_a_process_without_TorchSharp()
    {
        feed.AddML();
        var packages = $"""
            <PackageReference Include="RealNvp.ML" Version="{PackageTests.Feed.Version}" />
            <PackageReference Include="TorchSharp-cpu" Version="{Repository.TorchSharpVersion}" />
            """;
        var runtime = Package("Microsoft.ML.OnnxRuntime");
        using var training = feed.NewConsumer();
        training.Write("Program.cs", Training + Rows);
        training.Write("App.csproj", Project(packages));
        var (code, output) = training.TryDotNet("run");
        code.Should().NotBe(0);
        output.Should().Contain("Add the package Microsoft.ML.OnnxRuntime", "it was left out");
        training.Write("App.csproj", Project(packages + runtime));
        var trained = training.DotNet("run").Split('\n').Single(l => l.StartsWith("scores:", StringComparison.Ordinal));

        using var scoring = feed.NewConsumer();
        File.Copy(training.At("model.zip"), scoring.At("model.zip"));
        scoring.Write("Program.cs", Scoring + Rows);
        scoring.Write("App.csproj", Project(Package("Microsoft.ML") + Package("Microsoft.ML.OnnxTransformer") + runtime));
        scoring.DotNet("build", "-o", "out");
        Directory.GetFiles(scoring.At("out"), "*orch*").Should().BeEmpty("neither TorchSharp nor libtorch is there");
        Directory.GetFiles(scoring.At("out"), "RealNvp*").Should().BeEmpty();
        scoring.DotNet("out/App.dll").Should().Contain(trained.TrimEnd(), "an engine runs the same graph there and here");
    }

    private static string Package(string name) => $"""<PackageReference Include="{name}" Version="{PackageVersions.Of(name)}" />""";

    private static string Project(string items) => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            {Links}
          </PropertyGroup>
          <ItemGroup>{items}</ItemGroup>
        </Project>
        """;

    private const string Rows = """

        static void Tell(MLContext ml, ITransformer model)
        {
            var engine = ml.Model.CreatePredictionEngine<Row, Scored>(model);
            var some = new[] { new Row { A = 1, B = 1 }, new Row { A = 5, B = -5 } }.Select(engine.Predict);
            Console.WriteLine("scores: " + string.Join(" ", some.Select(s => FormattableString.Invariant($"{s.Score:F3} {s.LogDensity:F3} {s.PredictedLabel}"))));
        }

        class Row { public float A { get; set; } public float B { get; set; } }

        class Scored { public float LogDensity { get; set; } public float Score { get; set; } public bool PredictedLabel { get; set; } }
        """;

    private const string Training = """
        using Microsoft.ML;
        using RealNvp.ML;

        var ml = new MLContext(seed: 1);
        var random = new Random(1);
        var data = ml.Data.LoadFromEnumerable(Enumerable.Range(0, 200).Select(_ => { var a = random.NextSingle(); return new Row { A = a, B = a + (0.1f * random.NextSingle()) }; }).ToArray());
        var options = new NormalizingFlowOptions { Detector = new() { Members = 2, Training = new() { Epochs = 2 } } };
        using var model = ml.Transforms.Concatenate("Features", "A", "B").Append(ml.AnomalyDetection.Trainers.NormalizingFlow(options: options)).Fit(data);
        ml.Model.Save(model, data.Schema, "model.zip");
        Tell(ml, model);
        """;

    private const string Scoring = """
        using Microsoft.ML;

        var ml = new MLContext();
        Tell(ml, ml.Model.Load("model.zip", out _));
        """;
}
