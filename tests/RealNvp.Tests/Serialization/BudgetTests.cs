using System.Buffers.Binary;
using System.Text;
using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>A file costs no more memory than it is long, and little more.</summary>
public sealed class BudgetTests : IDisposable
{
    private const long Little = 50_000_000;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> HugeModels => [.. huge.Keys];

    private static readonly Dictionary<string, ModelOptions> huge = new()
    {
        ["wide"] = small with { Hidden = 65536 },
        ["wide and deep"] = small with { Hidden = 65536, Blocks = 1024, Layers = 4096 },
        ["many small networks"] = small with { Hidden = 1, Blocks = 1024, Layers = 4096 },
        ["many couplings"] = small with { Hidden = 1, Blocks = 0, Layers = 4096, FlowBatchNorm = true },
        ["many features"] = small with { Shape = [1 << 20], Layers = 4096, FlowBatchNorm = true, DiagonalScaling = true },
        ["many features to standardize"] = RealNvpOptions.Tabular(1 << 20),
        ["large context"] = small with { ContextSize = 1 << 20 },
        ["large wide image"] = RealNvpOptions.Image([1, 2048, 2048], scales: 11, blocks: 1024, hidden: 65536),
        ["large image, one scale"] = RealNvpOptions.Image([1, 2048, 2048], scales: 1, blocks: 0, hidden: 1),
        ["large image, all scales"] = RealNvpOptions.Image([1, 2048, 2048], scales: 11, blocks: 0, hidden: 1),
        ["large image of many channels"] = RealNvpOptions.Image([4, 1024, 1024], scales: 8, blocks: 0,
            hidden: 1) with { FlowBatchNorm = true },
        ["flat image"] = RealNvpOptions.Image([4, 1, 1 << 20], scales: 1, blocks: 1024, hidden: 1),
        ["many channels"] = RealNvpOptions.Image([1 << 20, 2, 2], scales: 1, blocks: 0, hidden: 1),
        ["many scales"] = RealNvpOptions.Image([1, 65536, 64], scales: 6, blocks: 2, hidden: 65536),
        ["NICE, many features"] = NiceOptions.Tabular(1 << 18) with { Hidden = 1, Layers = 4096 },
        ["MAF, many features"] = MafOptions.Tabular(1 << 20) with { Hidden = 1, Layers = 4096, Blocks = 0 },
        ["MAF, many hidden units"] = MafOptions.Tabular(4) with { Hidden = 65536, Layers = 4096 },
        ["IAF, many features"] = IafOptions.Tabular(1 << 20) with { Hidden = 1, Layers = 4096, Blocks = 0 },
        ["spline, many matrices"] = SplineFlowOptions.Tabular(1024) with { Hidden = 1, Layers = 4096, Blocks = 0 },
        ["spline, many circles"] = SplineFlowOptions.Torus(1 << 14) with { Hidden = 1, Layers = 4096, Blocks = 0 },
        ["Glow, large image"] = new GlowOptions { Shape = [1, 2048, 2048], Scales = 10, Layers = 1, Hidden = 1 },
        ["Glow, large matrices"] = new GlowOptions { Shape = [256, 2, 2], Scales = 1, Layers = 1, Hidden = 1, Linear = LinearForm.Qr },
        ["Glow, many matrices"] = new GlowOptions { Shape = [64, 2, 2], Scales = 1, Layers = 4096, Hidden = 1, Linear = LinearForm.Plain },
    };

    [Theory, MemberData(nameof(HugeModels))]
    public void A_small_file_that_describes_a_huge_model_is_refused_without_much_memory(string name)
    {
        var path = folder.At("forged.safetensors");
        using (NewDisposeScope())
        using (var model = new RealNvpModel(small, seed: 1))
        {
            var metadata = model.FileMetadata();
            metadata["kind"] = Kind(huge[name]);
            metadata["options"] = huge[name].ToJson();
            // weights of no use, so that the file is large enough for some of the model
            SafeTensors.Save(path, new Dictionary<string, Tensor>(StateFile.Prefixed("model/",
                model.state_dict())) { ["model/more"] = zeros(50_000) }, metadata);
        }
        new FileInfo(path).Length.Should().BeLessThan(300_000);
        Refused(path);
        long managed = 0;
        var growth = ResidentMemory.PeakGrowth(() =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Refused(path);
            managed = GC.GetAllocatedBytesForCurrentThread() - before;
        });
        managed.Should().BeLessThan(2 * Little);
        growth.Should().BeLessThan(Little);
        LiveTensors.ChangeOver(() => Refused(path)).Should().Be(0);
    }

    public static TheoryData<string> Presets => PresetTable.Names;

    [Theory, MemberData(nameof(Presets))]
    public void Every_model_can_pay_for_its_constants_with_its_weights(string name)
    {
        long elements, tensors;
        using (var model = PresetTable.All[name].NewModel())
        {
            var state = model.state_dict().Values;
            (elements, tensors) = (state.Sum(t => t.numel()), state.Count);
        }
        using var budget = Weights.Limit(elements, tensors, ModelFile.ConstantsOf(elements, PresetTable.All[name].Shape));
        using var again = PresetTable.All[name].NewModel();
        Weights.MakeConstants();
    }

    [Fact, LeavesNoTensors]
    public void Layers_with_one_mask_share_its_memory_and_move_together()
    {
        using var scope = NewDisposeScope();
        var mask = Mask.Checkerboard(6, 6);
        Bijection Layer(Mask m) =>
            new AffineCouplingLayer([2, 6, 6], m, size => new ResidualConvNet(size.Inputs, size.Outputs,
                new ResidualConvNetOptions { HiddenChannels = 2, Blocks = 0 }));
        using var first = Layer(mask);
        using var third = new FlowBatchNorm([2, 6, 6], mask);
        nint common, converted;
        using (var second = Layer(!mask))
        {
            common = Address(first, "keeps");
            new[] { Address(second, "changes"), Address(third, "keeps") }.Should().AllBeEquivalentTo(common);
            Address(second, "keeps").Should().Be(Address(first, "changes")).And.NotBe(common);
            first.to(float64);
            converted = Address(first, "keeps");
            converted.Should().NotBe(common);
            Address(second, "changes").Should().Be(common, "it stays as it is until it is moved");
            second.to(float64);
            Address(second, "changes").Should().Be(converted);
        }
        third.to(float64);
        Address(third, "keeps").Should().Be(converted);
        using var values = mask.ToTensor(float64);
        var (x, _) = first.Forward(ones(1, 2, 6, 6, float64));
        x.mul(values).sum().item<double>().Should().Be(36, "what the mask keeps stays");
    }

    [Fact]
    public void Names_are_counted_before_they_cost_anything()
    {
        // a header of 90 MB that is never there: its names come one by one
        using var empty = new Names(90_000_000, _ => "{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}");
        Refused(empty, "*more than 4096 tensors without elements*");
        empty.Given.Should().BeLessThan(600_000);
        using var full = new Names(90_000_000, i => $"{{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[{i},{i + 1}]}}");
        var growth = ResidentMemory.PeakGrowth(() => Refused(full, "*more than 262144 tensors*"));
        growth.Should().BeLessThan(4 * Little);
        using var metadata = new Names(90_000_000, _ => "\"\"", "{\"__metadata__\":{");
        Refused(metadata, "*metadata has more than 65536 names*");
        // and a name that is as long as the header
        using var name = new OneWayStream(new MemoryStream([.. Prefix(90_000_000), (byte)'{', (byte)'"',
            .. Enumerable.Repeat((byte)'a', 1_000_000)]), reads: true);
        Refused(name, "*a name of more than 4096 bytes*");
        name.Count.Should().BeLessThan(200_000);
    }

    [Fact]
    public void What_could_not_be_read_again_is_not_written()
    {
        using var one = ones(1);
        using var none = ones(0);
        var bytes = new MemoryStream();
        void Tensors(int count, Tensor value) => SafeTensors.Save(bytes, Enumerable.Range(0, count).ToDictionary(i => $"{i}", _ => value));
        FluentActions.Invoking(() => Tensors(262145, one)).Should().Throw<ArgumentException>()
            .WithMessage("*at most 262144 tensors; got 262145*");
        FluentActions.Invoking(() => Tensors(4097, none)).Should().Throw<ArgumentException>()
            .WithMessage("*at most 4096 tensors without elements; got 4097*");
        FluentActions.Invoking(() => SafeTensors.Save(bytes, new Dictionary<string, Tensor>(), Enumerable.Range(0, 65537)
            .ToDictionary(i => $"{i}", _ => ""))).Should().Throw<ArgumentException>().WithMessage("*at most 65536 metadata; got 65537*");
        FluentActions.Invoking(() => SafeTensors.Save(bytes, new Dictionary<string, Tensor> { [new string('ü', 2049)] = one })).Should()
            .Throw<ArgumentException>().WithMessage("*at most 4096 bytes in UTF-8; got 4098*");
        FluentActions.Invoking(() => SafeTensors.Save(bytes, new Dictionary<string, Tensor> { [new string('\u0001', 700)] = one })).Should()
            .Throw<ArgumentException>("a control character takes six bytes in JSON");
        bytes.Length.Should().Be(0);
        Dictionary<string, Tensor> longest = new() { [new string('ü', 2048)] = one, [new string('\u0001', 682)] = one };
        SafeTensors.Save(bytes, longest);
        bytes.Position = 0;
        using (var named = SafeTensors.Load(bytes)) named.Tensors.Keys.Should().BeEquivalentTo(longest.Keys);
        bytes.SetLength(0);
        Tensors(4096, none);
        bytes.Position = 0;
        using var file = SafeTensors.Load(bytes);
        file.Tensors.Count.Should().Be(4096);
    }

    [Fact]
    public void A_header_that_lies_about_the_data_of_a_stream_allocates_nothing_large()
    {
        const string header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4000000000],\"data_offsets\":[0,16000000000]}}";
        var growth = ResidentMemory.PeakGrowth(() => Refused(new OneWayStream(new MemoryStream([.. Prefix(header.Length),
            .. Encoding.UTF8.GetBytes(header), .. new byte[1000]]), reads: true), "*ended after 1081 bytes*"));
        growth.Should().BeLessThan(Little);
    }

    [Fact]
    public void A_tensor_of_a_stream_that_outgrows_what_is_believed_comes_whole()
    {
        // 16 MB are believed at once, so this one grows twice
        using var scope = NewDisposeScope();
        var value = arange(0, 11_000_003, ScalarType.Int32).reshape(11_000_003, 1);
        var bytes = new MemoryStream();
        SafeTensors.Save(bytes, new Dictionary<string, Tensor> { ["a"] = value, ["b"] = ones(3) },
            new Dictionary<string, string> { [Checksum.Key] = "" });
        bytes.Position = 0;
        using var file = SafeTensors.Load(new OneWayStream(bytes, reads: true));
        file["a"].equal(value).all().item<bool>().Should().BeTrue();
        file["a"].shape.Should().Equal(11_000_003, 1);
        file["b"].sum().item<float>().Should().Be(3);
    }

    private static RealNvpVectorOptions small => RealNvpOptions.Toy2D with { Layers = 2, Hidden = 16 };

    private static string Kind(ModelOptions options) => options is SplineFlowOptions ? nameof(SplineFlowModel)
        : options.GetType().Name.Replace("Options", "Model", StringComparison.Ordinal);

    private static void Refused(string path) => FluentActions.Invoking(() => FlowModel.Load(path)).Should().Throw<InvalidDataException>();

    private static void Refused(Stream stream, string message) =>
        FluentActions.Invoking(() => SafeTensors.Load(stream)).Should().Throw<InvalidDataException>().WithMessage(message);

    private static nint Address(Bijection layer, string name)
    {
        var partition = Field(layer, "partition");
        var value = ((Constant)Field(partition, name)).Value;
        unsafe { fixed (byte* at = value.bytes) return (nint)at; }
    }

    private static object Field(object owner, string name)
    {
        for (var type = owner.GetType(); type is not null; type = type.BaseType)
            if (type.GetField(name, System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic) is { } field)
                return field.GetValue(owner)!;
        throw new MissingFieldException(owner.GetType().Name, name);
    }

    private static byte[] Prefix(long length)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, length);
        return bytes;
    }

    /// <summary>A header of so many bytes, with names without end, made as they are read.</summary>
    private sealed class Names(long length, Func<int, string> value, string start = "{") : Stream
    {
        private byte[] ready = [.. Prefix(length), .. Encoding.UTF8.GetBytes(start)];
        private int names, at;

        public long Given { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (at == ready.Length)
            {
                var text = new StringBuilder();
                for (var i = 0; i < 1000; i++)
                    text.Append(names > 0 ? "," : "").Append('"').Append(names).Append("\":").Append(value(names++));
                (ready, at) = (Encoding.UTF8.GetBytes(text.ToString()), 0);
            }
            var given = Math.Min(count, ready.Length - at);
            ready.AsSpan(at, given).CopyTo(buffer.AsSpan(offset));
            at += given;
            Given += given;
            return given;
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
