using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's stream, which can do no more than go on, holds models, weights and checkpoints.</summary>
public class OwnStreamTests
{
    [Fact]
    public void Models_weights_and_checkpoints_follow_on_one_another_in_an_encrypted_stream()
    {
        using var scope = NewDisposeScope();
        using var place = new MemoryStream();
        using var model = new SplineFlowModel(SplineFlowOptions.Tabular(2) with { Hidden = 8, Layers = 2 }, seed: 1);
        using var flow = new Flow([2], new Chain(new Centring(2), new DiagonalScaling([2])), new Laplace([2]));
        using var generator = new Generator(1);
        var x = randn([200, 2], generator: generator);
        var options = new TrainingOptions { Epochs = 2, Seed = 1 };
        using var trainer = new Trainer(model, options);
        using (var writing = new Encrypted(place, 17))
        {
            model.Save(writing);
            flow.SaveWeights(writing);
            trainer.SaveCheckpoint(writing);
            writing.IsClosed.Should().BeFalse();
        }
        var expected = trainer.Fit(TrainingData.From(x)).History[^1].Loss;

        place.Position = 0;
        using var reading = new Encrypted(place, 17);
        using var loaded = SplineFlowModel.Load(reading);
        using var other = new Flow([2], new Chain(new Centring(2), new DiagonalScaling([2])), new Laplace([2]));
        other.LoadWeights(reading);
        using var resumed = Trainer.Resume(reading);
        using var resumedModel = resumed.Flow;
        reading.IsClosed.Should().BeFalse();
        loaded.Options.Should().Be(model.Options);
        other.LogProb(x).equal(flow.LogProb(x)).all().item<bool>().Should().BeTrue();
        resumed.Fit(TrainingData.From(x)).History[^1].Loss.Should().Be(expected);

        place.Position = 0;
        FluentActions.Invoking(() => FlowModel.Load(new Encrypted(place, 18))).Should().Throw<InvalidDataException>("that is another key");
    }

    /// <summary>Any bytes behind a key; it neither seeks nor tells its length, and gives at most 100 bytes at a time.</summary>
    private sealed class Encrypted(Stream place, byte key) : Stream
    {
        public bool IsClosed { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = place.Read(buffer, offset, Math.Min(count, 100));
            foreach (ref var b in buffer.AsSpan(offset, read)) b ^= key;
            return read;
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            foreach (var b in buffer.AsSpan(offset, count)) place.WriteByte((byte)(b ^ key));
        }

        public override void Flush() => place.Flush();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            IsClosed = true;
            base.Dispose(disposing);
        }
    }
}
