using System.Text.Json.Nodes;
using RealNvp.Scoring;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scorers;

/// <summary>Which files the package without libtorch reads, and what it says of others.</summary>
public sealed class ScorerFileTests
{
    private static readonly string files = Repository.At("tests", "RealNvp.Tests", "Serialization", "Files");

    public static TheoryData<string> OldFiles => ["iaf", "maf", "maf-mixture", "maf-narrow", "nice", "realnvp", "spline", "spline-wide",
        "training", "training-development", "training-wide"];

    [Theory, LeavesNoTensors, MemberData(nameof(OldFiles))]
    public void Files_and_checkpoints_of_older_builds_give_what_the_library_makes_of_them(string name)
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(files, name + ".safetensors");
        using var model = FlowModel.Load(path);
        var scorer = FlowScorer.Load(path);
        var x = rand([40, scorer.Features], generator: new Generator(3)).mul(2).sub(1);
        var context = scorer.ContextSize == 0 ? null : rand([40, scorer.ContextSize], generator: new Generator(4));
        var logProb = new float[40];
        scorer.LogProb(x.data<float>().ToArray(), logProb, context?.data<float>().ToArray() ?? []);
        model.to(float32);
        var own = model.LogProb(x, context);
        model.to(float64);
        ScorerAgreementTests.Check("log p", logProb, own, model.LogProb(x.to(float64), context?.to(float64)));
    }

    [Theory, MemberData(nameof(ScorerModels.RefusedNames), MemberType = typeof(ScorerModels))]
    public void What_it_does_not_compute_is_refused_by_the_name_of_the_part_and_with_what_to_do(string name)
    {
        using var model = ScorerModels.Create(name);
        var load = () => ScorerModels.Load(model);
        load.Should().Throw<NotSupportedException>().WithMessage($"*{ScorerModels.Refused[name]}*Export the flow to ONNX*");
    }

    [Theory, InlineData("Glow, Digits8x8", "GlowModel"), InlineData("Digits8x8", "images")]
    public void Models_of_images_are_refused_by_name(string name, string part)
    {
        using var model = Laws.PresetTable.All[name].NewModel();
        var load = () => ScorerModels.Load(model);
        load.Should().Throw<NotSupportedException>().WithMessage($"*{part}*convolutions*ONNX*");
    }

    [Fact]
    public void A_detector_a_table_and_a_flow_without_options_are_refused_with_what_to_do()
    {
        var load = () => FlowScorer.Load(Path.Combine(files, "training-flow.safetensors"));
        load.Should().Throw<InvalidDataException>().WithMessage("*without the options of a model*FlowModel*");
        load = () => FlowScorer.Load(Path.Combine(files, "expected.safetensors"));
        load.Should().Throw<InvalidDataException>().WithMessage("*no RealNvp checkpoint*");
        load = () => FlowScorer.Load(Path.Combine(files, "detector-1.safetensors"));
        load.Should().Throw<InvalidDataException>();
        load = () => FlowScorer.Load(Path.Combine(files, "there-is-none.safetensors"));
        load.Should().Throw<FileNotFoundException>();
    }

    [Fact]
    public void A_member_that_it_does_not_know_is_refused_by_name_and_so_is_one_that_lacks()
    {
        var (options, metadata, tensors) = Parts("Toy2D");
        using (tensors)
        {
            options["Twists"] = 3;
            var load = () => Loaded(options, metadata, tensors.Tensors);
            load.Should().Throw<InvalidDataException>().WithMessage("*Twists is not known here*Update RealNvp.Scoring*");
            options.Remove("Twists");
            options.Remove("Hidden");
            load.Should().Throw<InvalidDataException>().WithMessage("*Hidden is missing*");
            options["Hidden"] = 65;
            load.Should().Throw<InvalidDataException>().WithMessage("*first.weight has the shape [64, 1]*[65, 1]*");
            options["Hidden"] = 64;
            options["Layers"] = 9;
            load.Should().Throw<InvalidDataException>().WithMessage("*layers.8.conditioner.first.weight is missing*");
            options["Layers"] = 7;
            load.Should().Throw<InvalidDataException>().WithMessage("*unknown*layers.7*");
        }
    }

    [Theory, InlineData("Toy2D"), InlineData("Spline, Toy2D"), InlineData("MAF, Toy2D"), InlineData("IAF, Toy2D")]
    public void Members_that_older_files_lack_are_what_the_library_says_they_were(string name)
    {
        var (options, metadata, tensors) = Parts(name);
        using (tensors)
        {
            var expected = Loaded(options, metadata, tensors.Tensors).LogProbOfRow([0.3f, -0.4f]);
            var type = Laws.PresetTable.All[name].GetType();
            foreach (var version in new[] { 2, 3 })
            {
                metadata["version"] = $"{version}";
                var older = options.DeepClone().AsObject();
                foreach (var (_, member, since, before) in FrozenMembers.Added.Where(row => row.Record.IsAssignableFrom(type)
                    && row.Since > version))
                    if (JsonNode.DeepEquals(options[member], JsonNode.Parse(before))) older.Remove(member);
                Loaded(older, metadata, tensors.Tensors).LogProbOfRow([0.3f, -0.4f]).Should().Be(expected);
            }
        }
    }

    [Fact]
    public void Damaged_and_forged_files_are_refused_or_load_and_nothing_else_happens() => Mutate(100);

    [SlowFact]
    public void A_thousand_damaged_and_forged_files_are_refused_or_load_and_nothing_else_happens() => Mutate(1000);

    [Fact]
    public void A_stream_that_does_not_tell_its_length_is_read_up_to_the_last_byte_of_the_file()
    {
        var bytes = Bytes("Toy2D");
        using var stream = new OneWayStream(new MemoryStream([.. bytes, .. bytes]), reads: true);
        var row = new[] { 0.1f, 0.2f };
        var first = FlowScorer.Load(stream).LogProbOfRow(row);
        FlowScorer.Load(stream).LogProbOfRow(row).Should().Be(first);
        var end = () => FlowScorer.Load(stream);
        end.Should().Throw<InvalidDataException>();
    }

    private static void Mutate(int count)
    {
        string[] names = ["Tabular, context", "Spline, Tabular, two circles among five", "MAF, SplineTabular", "NICE, Tabular"];
        var (refused, loaded) = (0, 0);
        foreach (var name in names)
        {
            var mutations = new FileMutations(Bytes(name), seed: 7);
            for (var i = 0; i < count / names.Length; i++)
            {
                var (kind, forged, bytes) = mutations.Next();
                try
                {
                    var scorer = FlowScorer.Load(new MemoryStream(bytes));
                    loaded++;
                    float[] x = new float[scorer.Features * 3], given = new float[scorer.ContextSize * 3];
                    scorer.LogProb(x, new float[3], given);
                    scorer.Decode(x, x, given);
                }
                catch (Exception e) when (e is InvalidDataException or NotSupportedException)
                {
                    refused++;
                    e.Message.Length.Should().BeLessThan(2000, kind);
                }
                catch (Exception e) { Assert.Fail($"{name}, {kind}, forged {forged}, file {i}: {e}"); }
            }
        }
        refused.Should().BeGreaterThan(count / 2);
        loaded.Should().BePositive("some changes are allowed");
    }

    private static byte[] Bytes(string name)
    {
        using var model = ScorerModels.Create(name);
        using var stream = new MemoryStream();
        model.Save(stream);
        return stream.ToArray();
    }

    private static (JsonObject Options, Dictionary<string, string> Metadata, SafeTensorsFile File) Parts(string name)
    {
        var file = SafeTensors.Load(new MemoryStream(Bytes(name)));
        var metadata = new Dictionary<string, string>(file.Metadata);
        return (JsonNode.Parse(metadata["options"])!.AsObject(), metadata, file);
    }

    private static FlowScorer Loaded(JsonObject options, Dictionary<string, string> metadata, IReadOnlyDictionary<string, Tensor> tensors)
    {
        using var stream = new MemoryStream();
        SafeTensors.Save(stream, tensors, new Dictionary<string, string>(metadata) { ["options"] = options.ToJsonString() });
        stream.Position = 0;
        return FlowScorer.Load(stream);
    }
}
