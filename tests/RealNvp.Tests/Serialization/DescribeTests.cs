using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>A file says what it is, before anything is built.</summary>
[LeavesNoTensors]
public sealed class DescribeTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(PresetTable.OneOfEach), MemberType = typeof(PresetTable))]
    public void A_saved_model_says_class_options_numbers_and_version(string name)
    {
        using var model = PresetTable.All[name].NewModel(seed: 1);
        model.Save(folder.At("a.safetensors"));
        model.Save(folder.At("b.safetensors"));
        File.ReadAllBytes(folder.At("b.safetensors")).Should().Equal(File.ReadAllBytes(folder.At("a.safetensors")),
            "there is no date in it");
        var said = FlowModel.Describe(folder.At("a.safetensors"));
        said.Kind.Should().Be(model.GetType().Name);
        said.IsKnown.Should().BeTrue();
        said.Options.Should().Be(model.ModelOptions);
        said.LibraryVersion.Should().MatchRegex(@"^\d+\.\d+\.\d+");
        said.Dtype.Should().Be(float32);
        said.Numbers.Should().Be(model.state_dict().Values.Where(t => t.is_floating_point()).Sum(t => t.numel()));
        said.Info.Should().Be(new FlowInfo());
        using var stream = File.OpenRead(folder.At("a.safetensors"));
        FlowModel.Describe(stream).ToString().Should().Be(said.ToString());
        System.Xml.Linq.XDocument.Parse(said.ToHtml());
    }

    [Fact]
    public void A_fitted_model_says_its_columns_rows_and_score_when_it_comes_back()
    {
        var random = new Random(1);
        var rows = new double[80, 2];
        for (var i = 0; i < 160; i++) rows[i / 2, i % 2] = random.NextDouble();
        using var model = FlowModel.Fit(rows, options: new FitOptions { Columns = ["age", "height"],
            Training = new TrainingOptions { Epochs = 2 } });
        model.Save(folder.At("a.safetensors"));
        var info = FlowModel.Describe(folder.At("a.safetensors")).Info;
        info.Columns.Should().Equal("age", "height");
        (info.TrainingRows, info.HeldOutRows).Should().Be((72, 8));
        info.HeldOutLogProb.Should().BeApproximately(model.Report!.HeldOut.MeanLogProb, 1e-4);
        using var again = FlowModel.Load(folder.At("a.safetensors"));
        again.Info.Columns.Should().Equal("age", "height");
        again.Info.HeldOutLogProb.Should().Be(info.HeldOutLogProb);
    }

    [Fact]
    public void A_description_compares_the_checksum_and_says_so()
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        var path = folder.At("a.safetensors");
        model.Save(path);
        var said = FlowModel.Describe(path);
        said.IsIntact.Should().BeTrue();
        said.ToString().Should().Contain("checksum: agrees with all that the file holds");
        var header = FlowModel.Describe(path, checkContent: false);
        header.IsIntact.Should().BeNull();
        header.ToString().Should().Contain("checksum: not compared");

        // one bit of a weight
        var bytes = File.ReadAllBytes(path);
        bytes[^5] ^= 4;
        File.WriteAllBytes(path, bytes);
        var damaged = () => FlowModel.Describe(path);
        damaged.Should().Throw<InvalidDataException>().WithMessage("*is damaged: its checksum*");
        using (var stream = new MemoryStream(bytes))
        {
            var streamed = () => FlowModel.Describe(stream);
            streamed.Should().Throw<InvalidDataException>().WithMessage("*is damaged: its checksum*");
        }
        FlowModel.Describe(path, checkContent: false).Options.Should().Be(model.Options, "one may look into a file that is damaged");

        // several files in one stream
        model.Save(path);
        bytes = File.ReadAllBytes(path);
        using var two = new MemoryStream([.. bytes, .. bytes]);
        FlowModel.Describe(two).IsIntact.Should().BeTrue();
        two.Position.Should().Be(bytes.Length);
        FlowModel.Describe(two).IsIntact.Should().BeTrue();
        FlowModel.Describe(Path.Combine(AppContext.BaseDirectory, "Serialization", "Files", "maf.safetensors")).IsIntact.Should().BeNull();
    }

    [Fact]
    public void A_composed_flow_keeps_what_is_known_of_it_too()
    {
        using var flow = new Flow([2], new DiagonalScaling([2])) { Info = new FlowInfo { Columns = ["x", "y"] } };
        flow.SaveWeights(folder.At("a.safetensors"));
        var said = FlowModel.Describe(folder.At("a.safetensors"));
        (said.IsKnown, said.Options, said.Kind).Should().Be((false, null, "Flow"));
        using var other = new Flow([2], new DiagonalScaling([2]));
        other.LoadWeights(folder.At("a.safetensors"));
        other.Info.Columns.Should().Equal("x", "y");
    }

    [Fact]
    public void A_file_of_today_without_a_description_loads_and_says_so()
    {
        var said = FlowModel.Describe(Path.Combine(AppContext.BaseDirectory, "Serialization", "Files", "maf.safetensors"));
        said.Kind.Should().Be("MafModel");
        said.LibraryVersion.Should().BeNull();
        said.Info.Should().Be(new FlowInfo());
        said.ToString().Should().Contain("unknown version");
    }

    [Theory]
    [InlineData("""{"Columns":["a","b"]}""")]
    [InlineData("""{"Columns":["a",null],"ContextColumns":null,"TrainingRows":1,"HeldOutRows":1,"HeldOutLogProb":1,"Note":null}""")]
    [InlineData("""{"Columns":["a",""],"ContextColumns":null,"TrainingRows":1,"HeldOutRows":1,"HeldOutLogProb":1,"Note":null}""")]
    [InlineData("""{"Columns":null,"ContextColumns":null,"TrainingRows":-1,"HeldOutRows":1,"HeldOutLogProb":1,"Note":null}""")]
    [InlineData("""{"Columns":null,"ContextColumns":null,"TrainingRows":1e99,"HeldOutRows":1,"HeldOutLogProb":1,"Note":null}""")]
    [InlineData("""{"Columns":["a"],"ContextColumns":null,"TrainingRows":1,"HeldOutRows":1,"HeldOutLogProb":1,"Note":null}""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    public void A_description_that_is_damaged_is_refused_and_the_flow_is_as_it_was(string text)
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new DiagonalScaling([2])) { Info = new FlowInfo { Note = "before" } };
        flow.SaveWeights(folder.At("a.safetensors"));
        using (var file = SafeTensors.Load(folder.At("a.safetensors")))
        {
            var metadata = file.Metadata.Where(m => m.Key != Checksum.Key).ToDictionary(m => m.Key, m => m.Value);
            metadata["info"] = text;
            using var other = zeros(2).add(5);
            SafeTensors.Save(folder.At("a.safetensors"), new Dictionary<string, Tensor> { [file.Tensors.Keys.Single()] = other }, metadata);
        }
        FluentActions.Invoking(() => flow.LoadWeights(folder.At("a.safetensors"))).Should().Throw<InvalidDataException>()
            .WithMessage("*info*");
        flow.Info.Note.Should().Be("before");
        flow.parameters().Single().abs().sum().item<float>().Should().Be(0);
    }

    [Fact]
    public void Names_must_fit_the_columns()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2));
        FluentActions.Invoking(() => flow.Info = new FlowInfo { Columns = ["a"] }).Should().Throw<ArgumentException>()
            .WithMessage("*each of the 2*");
        FluentActions.Invoking(() => flow.Info = new FlowInfo { Columns = ["a", new string('b', 2000)] }).Should()
            .Throw<ArgumentException>();
        FluentActions.Invoking(() => flow.Info = null!).Should().Throw<ArgumentNullException>();
    }
}
