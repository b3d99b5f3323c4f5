using System.IO.Compression;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class StreamTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    // one of each class of model; the images of the first would take seconds
    public static TheoryData<string> Presets => [.. PresetTable.OneOfEach.Select(row => row.Data).Where(name => name != "Digits8x8")];

    [Theory, MemberData(nameof(Presets)), LeavesNoTensors]
    public void A_model_goes_through_a_stream_that_cannot_seek(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name);
        var bytes = Written(model.Save);
        model.Save(folder.At("model.safetensors"));
        bytes.AsSpan().SequenceEqual(File.ReadAllBytes(folder.At("model.safetensors"))).Should()
            .BeTrue("a stream gets the bytes of a file");
        // its own class reads it too
        var load = model.GetType().BaseType!.GetMethod(nameof(FlowModel.Load), [typeof(Stream), typeof(Device)])!;
        using var stream = OneWay(bytes);
        using var loaded = (FlowModel)load.Invoke(null, [stream, null])!;
        loaded.Should().BeOfType(model.GetType());
        loaded.ModelOptions.ToJson().Should().Be(model.ModelOptions.ToJson());
        stream.IsClosed.Should().BeFalse();
        foreach (var (key, tensor) in loaded.state_dict()) tensor.equal(model.state_dict()[key]).all().item<bool>().Should().BeTrue(key);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Files_that_follow_on_one_another_are_read_one_by_one(bool seekable)
    {
        using var scope = NewDisposeScope();
        using RealNvpModel first = Model(1), second = Model(2);
        using var flow = Composed(0.3);
        using var all = new MemoryStream();
        first.Save(all);
        flow.SaveWeights(all);
        SafeTensors.Save(all, new Dictionary<string, Tensor> { ["a"] = ones(3) });
        second.Save(all);
        all.Write("end"u8);
        all.Position = 0;
        Stream stream = seekable ? all : new OneWayStream(all, reads: true);
        var x = linspace(-1, 1, 8).reshape(4, 2);
        using var one = FlowModel.Load(stream);
        using var weights = Composed(0.9);
        weights.LoadWeights(stream);
        using (var file = SafeTensors.Load(stream)) file["a"].shape.Should().Equal(3);
        using var two = RealNvpModel.Load(stream);
        Same(one.LogProb(x), first.LogProb(x));
        Same(weights.LogProb(x), flow.LogProb(x));
        Same(two.LogProb(x), second.LogProb(x));
        all.Position.Should().Be(all.Length - 3, "not a byte behind the file is read");
        stream.CanRead.Should().BeTrue();
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_training_goes_on_from_a_checkpoint_in_a_stream_as_from_a_file(bool seekable)
    {
        using var scope = NewDisposeScope();
        var x = Data(96);
        var options = new TrainingOptions { Epochs = 2, BatchSize = 16, ValidationFraction = 0.25, AverageDecay = 0.9 };
        using var model = Model(1);
        byte[] checkpoint = [];
        using (var trainer = new Trainer(model, options))
        {
            using var stop = new CancellationTokenSource();
            var save = new Now(p => { if (p.Step != 6) return; checkpoint = Written(trainer.SaveCheckpoint); trainer.SaveCheckpoint(
                folder.At("c")); stop.Cancel(); });
            trainer.Fit(TrainingData.From(x), progress: save, cancellationToken: stop.Token);
        }
        checkpoint.AsSpan().SequenceEqual(File.ReadAllBytes(folder.At("c"))).Should().BeTrue();
        using Stream one = seekable ? new MemoryStream(checkpoint) : OneWay(checkpoint), two = OneWay(checkpoint);
        using var fromFile = Trainer.Resume(folder.At("c"), change: o => o with { CheckpointPath = null });
        using var fromStream = Trainer.Resume(one);
        using var own = Model(5);
        using var intoOwn = Trainer.Resume(two, own, o => o with { CheckpointPath = folder.At("further") });
        fromStream.Options.CheckpointPath.Should().BeNull();
        intoOwn.Options.CheckpointPath.Should().Be(folder.At("further"));
        var expected = fromFile.Fit(TrainingData.From(x));
        using var built = fromFile.Flow;
        using var other = fromStream.Flow;
        foreach (var trainer in new[] { fromStream, intoOwn })
        {
            trainer.Fit(TrainingData.From(x)).History[^1].Loss.Should().Be(expected.History[^1].Loss);
            Same(trainer.Flow.LogProb(x), built.LogProb(x));
        }
        one.CanRead.Should().BeTrue("it is the caller's");
        folder.Names.Should().Contain("further");
        // and a checkpoint is a model
        using var best = FlowModel.Load(OneWay(checkpoint));
        using var same = FlowModel.Load(folder.At("c"));
        Same(best.LogProb(x), same.LogProb(x));
    }

    [Fact]
    public void A_model_lives_in_an_entry_of_a_zip_file()
    {
        using var scope = NewDisposeScope();
        using var model = Model(1);
        using (var zip = ZipFile.Open(folder.At("a.zip"), ZipArchiveMode.Create))
        {
            using var entry = zip.CreateEntry("model").Open();
            model.Save(entry);
            entry.CanWrite.Should().BeTrue();
        }
        using var archive = ZipFile.OpenRead(folder.At("a.zip"));
        using var stream = archive.GetEntry("model")!.Open();
        using var loaded = RealNvpModel.Load(stream);
        var x = Data(4);
        Same(loaded.LogProb(x), model.LogProb(x));
    }

    [Fact]
    public void A_stream_that_is_cut_off_anywhere_is_refused_and_leaves_no_tensor()
    {
        using var model = Model(1);
        var bytes = Written(model.Save);
        LiveTensors.ChangeOver(() =>
        {
            for (var length = 0; length < bytes.Length; length += 1 + (length / 9))
                foreach (var stream in new Stream[] { OneWay(bytes[..length]), new MemoryStream(bytes[..length]) })
                {
                    var load = () => FlowModel.Load(stream);
                    load.Should().Throw<InvalidDataException>().WithMessage("The stream *");
                    stream.CanRead.Should().BeTrue();
                }
        }).Should().Be(0);
    }

    [Fact]
    public void Streams_that_cannot_be_used_are_refused_before_any_work()
    {
        using var scope = NewDisposeScope();
        using var model = Model(1);
        using var trainer = new Trainer(model);
        using var closed = new MemoryStream();
        closed.Dispose();
        using var forWriting = new OneWayStream(new MemoryStream(), reads: false);
        using var forReading = OneWay([]);
        var before = model.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        var tensors = new Dictionary<string, Tensor>();
        foreach (var write in new Action<Stream>[] { model.Save, model.SaveWeights, trainer.SaveCheckpoint,
            s => SafeTensors.Save(s, tensors) })
        {
            Refused<ArgumentNullException>(() => write(null!), "*stream*");
            Refused<ArgumentException>(() => write(closed), "*MemoryStream is closed, or is only for reading*");
            Refused<ArgumentException>(() => write(forReading), "*only for reading*");
        }
        foreach (var read in new Action<Stream>[] { s => FlowModel.Load(s), s => GlowModel.Load(s), model.LoadWeights,
            s => Trainer.Resume(s), s => Trainer.Resume(s, model), s => SafeTensors.Load(s), s => SafeTensors.ReadHeader(s) })
        {
            Refused<ArgumentNullException>(() => read(null!), "*stream*");
            Refused<ArgumentException>(() => read(closed), "*MemoryStream is closed, or is only for writing*");
            Refused<ArgumentException>(() => read(forWriting), "*only for writing*");
        }
        forWriting.Count.Should().Be(0);
        foreach (var (key, tensor) in model.state_dict()) Same(tensor, before[key]);

        var disposed = Model(2);
        disposed.Dispose();
        Refused<ObjectDisposedException>(() => disposed.Save(forWriting), "*");
        Refused<ObjectDisposedException>(() => disposed.LoadWeights(OneWay([])), "*");
        Refused<ObjectDisposedException>(() => Trainer.Resume(OneWay([]), disposed), "*");
        forWriting.Count.Should().Be(0);
    }

    [Fact]
    public void A_stream_that_fails_says_why_and_stays_open()
    {
        using var model = Model(1);
        using var full = new FullStream(1000);
        var save = () => model.Save(full);
        save.Should().Throw<IOException>().WithMessage("full");
        full.CanWrite.Should().BeTrue();
    }

    [Fact]
    public void A_header_of_a_stream_is_read_without_its_data()
    {
        using var model = Model(1);
        using var stream = OneWay(Written(model.Save));
        var header = SafeTensors.ReadHeader(stream);
        header.Metadata["kind"].Should().Be(nameof(RealNvpModel));
        var data = header.Entries.Values.Sum(e => e.ByteCount);
        stream.ReadAtLeast(new byte[2 * data], (int)(2 * data), throwOnEndOfStream: false).Should().Be((int)data);
    }

    private sealed class FullStream(long room) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (Length + buffer.Length > room) throw new IOException("full");
            base.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }

    private sealed class Now(Action<TrainingProgress> hear) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => hear(value);
    }

    private static byte[] Written(Action<Stream> save)
    {
        using var bytes = new MemoryStream();
        using var stream = new OneWayStream(bytes, reads: false);
        save(stream);
        stream.IsClosed.Should().BeFalse();
        return bytes.ToArray();
    }

    private static OneWayStream OneWay(byte[] bytes) => new(new MemoryStream(bytes), reads: true);

    private static void Refused<T>(Action call, string message) where T : Exception => call.Should().Throw<T>().WithMessage(message);

    private static void Same(Tensor a, Tensor b) => a.equal(b).all().item<bool>().Should().BeTrue();

    private static RealNvpModel Model(long seed)
    {
        var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 8 }, seed);
        RandomWeights.Draw(model, (int)seed, 0.1);
        model.eval();
        return model;
    }

    private static Flow Composed(double scale)
    {
        var flow = new Flow([2], new Chain([new ActNorm([2]), new DiagonalScaling([2])]));
        using (no_grad()) foreach (var parameter in flow.parameters()) parameter.fill_(scale);
        flow.eval();
        return flow;
    }

    private static Tensor Data(int rows)
    {
        using var generator = new Generator(5);
        return randn([rows, 2], generator: generator);
    }
}
