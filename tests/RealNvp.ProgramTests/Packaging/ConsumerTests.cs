using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using RealNvp.Tests.Docs;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>Programs of users, of several kinds, that have nothing but the packed packages and a backend.</summary>
public sealed class ConsumerTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    private const string Links = """
        <RuntimeIdentifier>$(NETCoreSdkRuntimeIdentifier)</RuntimeIdentifier>
        <SelfContained>false</SelfContained>
        <CreateSymbolicLinksForCopyLocalIfPossible Condition="!$([MSBuild]::IsOSPlatform('Windows'))">true</CreateSymbolicLinksForCopyLocalIfPossible>
        """;

    [SlowFact]
    public void The_code_of_the_packages_readme_runs_in_an_empty_console_project()
    {
        using var app = feed.NewConsumer();
        app.Write("Program.cs", DocumentProgram.Blocks("src/RealNvp/PACKAGE.md").First());
        app.Write("App.csproj", Project("Microsoft.NET.Sdk", "", ""));
        app.DotNet("run").Should().MatchRegex(@"-[01]\.\d\d nats a point", "a Gaussian of the same spread reaches -2.1");
        File.Exists(app.At("circle.safetensors")).Should().BeTrue();
    }

    [SlowFact]
    public void The_first_picture_is_drawn_by_a_file_based_application()
    {
        feed.AddPlotting();
        using var app = feed.NewConsumer();
        app.Write("first.cs", $"""
            #:package RealNvp@{PackageTests.Feed.Version}
            #:package RealNvp.Plotting@{PackageTests.Feed.Version}
            #:package TorchSharp-cpu@{Repository.TorchSharpVersion}
            #:property PublishAot=false
            {DocumentProgram.Blocks("docs/first-picture.md").Single()}
            """);
        try
        {
            app.DotNet("run", "first.cs").Should().Contain("wrote ");
            var picture = File.ReadAllBytes(app.At("moons.png"));
            picture.AsSpan(1, 3).SequenceEqual("PNG"u8).Should().BeTrue();
            picture.Length.Should().BeGreaterThan(20_000, "an empty picture is smaller");
        }
        finally { app.TryDotNet("clean", "first.cs"); }
    }

    [SlowFact]
    public void An_FSharp_project_fits_scores_saves_and_composes()
    {
        using var app = feed.NewConsumer();
        app.Write("Program.fs", FSharp);
        app.Write("App.fsproj", Project("Microsoft.NET.Sdk", Links, "<Compile Include=\"Program.fs\" />"));
        app.DotNet("run").Should().Contain("same scores: true").And.Contain("there and back: true");
    }

    [SlowFact]
    public void The_FSharp_script_of_the_first_picture_runs_without_a_project()
    {
        using var app = feed.NewConsumer();
        // a script restores in a folder of its own, far from any nuget.config of ours
        app.Variables["NUGET_PACKAGES"] = app.At("packages");
        app.Variables["NUGET_FALLBACK_PACKAGES"] = Repository.PackageCache;
        // the packages that were just made, by their version, in place of the newest of the gallery
        var page = File.ReadAllText(Repository.At("docs", "first-picture.md")).ReplaceLineEndings("\n");
        var script = page.Split("```fsharp\n")[1].Split("```")[0];
        var packages = $"""
            #i "nuget: {feed.At("feed").Replace('\\', '/')}"
            #r "nuget: TorchSharp-cpu, {Repository.TorchSharpVersion}"
            #r "nuget: RealNvp, {PackageTests.Feed.Version}"

            """;
        var written = "#r \"nuget: TorchSharp-cpu\"\n#r \"nuget: RealNvp\"\n";
        script.Should().StartWith(written);
        app.Write("first.fsx", packages + script[written.Length..]);
        app.DotNet("fsi", "first.fsx").Should().Contain("held-out rows").And.Contain("300 scores, the lowest");
    }

    [SlowTheory]
    [InlineData("docs/in-production.md", "", "RealNvpModel")]
    [InlineData("src/RealNvp.Extensions/PACKAGE.md", "RealNvp.Extensions", "Healthy")]
    public async Task A_web_service_scores_from_many_threads_at_once(string document, string package, string health)
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..",
            "Microsoft.AspNetCore.App")), "needs the shared framework of ASP.NET Core");
        using var app = feed.NewConsumer();
        app.Write("Program.cs", DocumentProgram.Named(document, "service"));
        if (package.Length > 0) feed.Add(package);
        app.Write("App.csproj", Project("Microsoft.NET.Sdk.Web", Links, package.Length == 0 ? ""
            : $"<PackageReference Include=\"{package}\" Version=\"{PackageTests.Feed.Version}\" />"));
        using var model = new RealNvpModel(RealNvpOptions.Tabular(3, rows: 500), seed: 1);
        model.eval();
        model.Save(app.At("model.safetensors"));
        app.DotNet("build", "-o", "out");
        var random = new Random(1);
        var requests = Enumerable.Range(0, 200)
            .Select(_ => Enumerable.Range(0, 1 + random.Next(5)).Select(_ => new[] { random.NextDouble(), random.NextDouble(),
                random.NextDouble() })
                .ToArray()).ToArray();

        using var service = Start(app, "out/App.dll", "--urls", "http://127.0.0.1:0", "--Model", app.At("model.safetensors"));
        try
        {
            using var client = new HttpClient { BaseAddress = await Address(service) };
            var answers = new double[requests.Length][];
            await Parallel.ForEachAsync(Enumerable.Range(0, requests.Length), new ParallelOptions { MaxDegreeOfParallelism = 16 },
                async (i, cancel) =>
                {
                    using var answer = await client.PostAsJsonAsync("/score", requests[i], cancel);
                    answer.StatusCode.Should().Be(HttpStatusCode.OK);
                    answers[i] = (await answer.Content.ReadFromJsonAsync<double[]>(cancel))!;
                });
            for (var i = 0; i < requests.Length; i++)
                answers[i].Should().Equal(model.LogProb(requests[i]), (a, b) => Math.Abs(a - b) < 1e-4, "request {0}", i);

            using var wrong = await client.PostAsJsonAsync("/score", new[] { new[] { 1.0, 2.0 } });
            wrong.StatusCode.Should().Be(HttpStatusCode.BadRequest);
            (await wrong.Content.ReadAsStringAsync()).Should().Contain("3", "the message says what was expected");
            (await client.GetStringAsync("/health")).Should().Contain(health);
        }
        finally
        {
            service.Kill(entireProcessTree: true);
            await service.WaitForExitAsync();
        }
    }

    [SlowFact]
    public void Every_culture_gives_the_same_files_texts_and_pictures()
    {
        feed.AddPlotting();
        using var app = feed.NewConsumer();
        app.Write("Program.cs", Cultures);
        app.Write("App.csproj", Project("Microsoft.NET.Sdk", Links + "<InvariantGlobalization>false</InvariantGlobalization>",
            $"<PackageReference Include=\"RealNvp.Plotting\" Version=\"{PackageTests.Feed.Version}\" />"));
        app.DotNet("build", "-o", "out");
        var texts = new List<string>();
        foreach (var (culture, half) in new[] { ("", "0.5"), ("de-DE", "0,5"), ("tr-TR", "0,5") })
        {
            var (code, output) = app.TryDotNet("out/App.dll", culture);
            Assert.SkipWhen(output.Contains("ICU", StringComparison.Ordinal) && code != 0, $"This system has no ICU: {output}");
            code.Should().Be(0, output);
            output.Should().StartWith($"half: {half}", "the culture is at work");
            texts.Add(output[output.IndexOf('\n', StringComparison.Ordinal)..]);
        }
        texts[0].Should().Contain("file: ").And.Contain("picture: ").And.Contain("summary: ");
        foreach (var text in texts[1..])
            text.Split('\n').Except(texts[0].Split('\n')).Should().BeEmpty("the invariant culture has them too");
    }

    private static string Project(string sdk, string properties, string items) => $"""
        <Project Sdk="{sdk}">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            <Nullable>enable</Nullable>
            {properties}
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="RealNvp" Version="{PackageTests.Feed.Version}" />
            <PackageReference Include="TorchSharp-cpu" Version="{Repository.TorchSharpVersion}" />
            {items}
          </ItemGroup>
        </Project>
        """;

    private static Process Start(GeneratedProject app, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
        {
            WorkingDirectory = app.Folder,
            RedirectStandardOutput = true,
        })!;

    // the service says on which port it listens; its later lines are read, so that it never waits for a full pipe
    private static async Task<Uri> Address(Process service)
    {
        const string said = "Now listening on: ";
        while (await service.StandardOutput.ReadLineAsync() is { } line)
        {
            if (!line.Contains(said, StringComparison.Ordinal)) continue;
            _ = service.StandardOutput.ReadToEndAsync();
            return new Uri(line[(line.IndexOf(said, StringComparison.Ordinal) + said.Length)..].Trim());
        }
        throw new InvalidOperationException(
            $"The service ended with {service.ExitCode.ToString(CultureInfo.InvariantCulture)} before it listened.");
    }

    private const string FSharp = """
        open System
        open RealNvp
        open TorchSharp

        [<EntryPoint>]
        let main _ =
            let random = Random(1)
            let rows = Array2D.init 300 2 (fun i j -> if j = 0 then Math.Sin(float i) else Math.Cos(float i) + 0.1 * random.NextDouble())
            let table = DataRows.op_Implicit rows
            let options = FitOptions(Training = TrainingOptions(Epochs = 2))
            use model = FlowModel.Fit(table, options = options)
            let scores = model.LogProb(DataRows.op_Implicit rows)
            model.Save "model.safetensors"
            use again = FlowModel.Load "model.safetensors"
            printfn "same scores: %b" (again.LogProb(DataRows.op_Implicit rows) = scores)

            // a flow of layers, in tensors
            let shape : EventShape = EventShape.op_Implicit [| 2L |]
            let network (size: ConditionerSizes) = new ResidualMlp(size.Inputs, size.Outputs, 16L) :> Conditioner
            let coupling = new AffineCouplingLayer(shape, Mask.Alternating 2L, Func<ConditionerSizes, Conditioner>(network))
            use flow = new Flow(shape, new Chain([| coupling :> Bijection; new InvertibleLinearLayer(shape) |]))
            use x = torch.randn(10L, 2L)
            use z = flow.Encode x
            use back = flow.Decode z
            printfn "there and back: %b" (torch.allclose(x, back, 1e-3, 1e-3))
            0
        """;

    // what a culture could change: numbers and letters in files, texts and
    // pictures; names with an i, whose capital letter is another one in Turkish
    private const string Cultures = """
        using System.Globalization;
        using System.Security.Cryptography;
        using RealNvp;
        using RealNvp.Plotting;
        using static TorchSharp.torch;

        var culture = CultureInfo.GetCultureInfo(args[0]);
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = culture;
        Console.WriteLine($"half: {0.5}");
        set_num_threads(1);

        var rows = new double[300, 2];
        for (var i = 0; i < 300; i++) (rows[i, 0], rows[i, 1]) = (1234.5 * Math.Sin(i), Math.Cos(i * i));
        rows[7, 1] = 1e6;
        var fit = new FitOptions { Columns = ["height in m", "IDLE iI"], Training = new TrainingOptions { Epochs = 2, Seed = 1 }, Seed = 1 };
        using var model = FlowModel.Fit(rows, options: fit);
        model.Save("model.safetensors");
        Hash("file", File.ReadAllBytes("model.safetensors"));
        using var again = FlowModel.Load("model.safetensors");
        Console.WriteLine($"again: {again.ModelOptions == model.ModelOptions}, {again.LogProb(rows).SequenceEqual(model.LogProb(rows))}");
        Console.WriteLine($"description: {FlowModel.Describe("model.safetensors")}");
        Console.WriteLine($"json: {model.ModelOptions.ToJson()} {ModelOptions.FromJson<SplineFlowOptions>(model.ModelOptions.ToJson()) == model.ModelOptions}");
        foreach (var warning in model.Report!.Warnings) Console.WriteLine($"warning: {warning}");
        Console.WriteLine($"result: {model.Report.Result}");
        Console.WriteLine($"model: {model}");
        Console.WriteLine($"summary: {model.Summary()}\n{model.Summary().ToHtml()}");
        Console.WriteLine($"memory: {model.Summary().MemoryAt(1000)}");
        Console.WriteLine($"evaluation: {model.Evaluate(rows)}");
        try { model.LogProb(new double[,] { { double.NaN, 1234.5 } }); } catch (ArgumentException e) { Console.WriteLine($"error: {e.Message.Split('\n')[0]}"); }
        try { _ = new TrainingOptions { Schedule = new ExponentialSchedule { Floor = 1.5 } }; } catch (ArgumentException e) { Console.WriteLine($"error: {e.Message.Split('\n')[0]}"); }

        using var x = randn(200, 2, generator: new Generator(1));
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2, rows: 200), seed: 1);
        var options = new TrainingOptions { Epochs = 1, LearningRate = 1.5e-3, Schedule = new CosineSchedule { Floor = 0.25 }, CheckpointPath = "checkpoint.safetensors" };
        using (var trainer = new Trainer(flow, options)) trainer.Fit(TrainingData.From(x));
        using (var resumed = Trainer.Resume("checkpoint.safetensors", change: o => o with { Epochs = 2 }))
        {
            Console.WriteLine($"resumed: {resumed.Fit(TrainingData.From(x)).History[^1].Loss.ToString("R", CultureInfo.InvariantCulture)}");
            resumed.Flow.Dispose();
        }
        Hash("picture", new TrainingCurve([1.5, 1.25, 0.5], [1.75, 1.5, 1.125]).ToPng());

        static void Hash(string name, byte[] bytes) => Console.WriteLine($"{name}: {bytes.Length} {Convert.ToHexString(SHA256.HashData(bytes))}");
        """;
}
