using System.Buffers.Binary;
using System.Text;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class HostileSafeTensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string, int, string> Headers => new()
    {
        { "[]", 0, "*the header was expected to be StartObject*" },
        { "{ ", 0, "*not JSON*" },
        { "{}{}", 0, "*not JSON*" },
        { "{}", 3, "*need 0 bytes of data, but it has 3*" },
        { Deep(), 0, "*tensor 'a' has an unknown field 'a'*" },
        { "{\"a\":{\"shape\":" + new string('[', 5000), 0, "*shape of tensor 'a' has an entry that is no whole number*" },
        { One("\"F32\"", "[1]", "[0,4]") + ",\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", 4, "*tensor 'a' twice*" },
        { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "*'__metadata__' twice*" },
        { "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "*metadata has 'k' twice*" },
        { "{\"__metadata__\":{\"k\":1}}", 0, "*metadata 'k' was expected to be String*" },
        { "{\"\\ud800\":{}}", 0, "*not JSON*" },
        { "{\"a\":[]}", 0, "*tensor 'a' was expected to be StartObject*" },
        { "{\"a\":{}}", 0, "*needs dtype, shape and two data_offsets*" },
        { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "*field 'dtype' twice*" },
        { "{\"a\":{\"shape\":[],\"shape\":[]}}", 0, "*field 'shape' twice*" },
        { "{\"a\":{\"extra\":1}}", 0, "*unknown field 'extra'*" },
        { One("\"F8_E4M3\"", "[1]", "[0,1]") + "}", 1, "*dtype 'F8_E4M3', which is not supported; supported are F64*" },
        { One("7", "[1]", "[0,1]") + "}", 1, "*dtype of tensor 'a' was expected to be String*" },
        { One("\"U8\"", "[-1]", "[0,1]") + "}", 1, "*shape of tensor 'a' has an entry that is no whole number*" },
        { One("\"U8\"", "[1.0]", "[0,1]") + "}", 1, "*no whole number*" },
        { One("\"U8\"", "[1e2]", "[0,100]") + "}", 100, "*no whole number*" },
        { One("\"U8\"", "[9223372036854775808]", "[0,1]") + "}", 1, "*no whole number*" },
        { One("\"F32\"", "[4611686018427387904,4]", "[0,0]") + "}", 0, "*too large for 64 bits*" },
        { One("\"F32\"", "[4294967296,4294967296,4294967296,4294967296]", "[0,0]") + "}", 0, "*too large for 64 bits*" },
        { One("\"U8\"", "[0,9223372036854775807,9223372036854775807]", "[0,0]") + "}", 0, "*too large for 64 bits*" },
        { One("\"U8\"", $"[{string.Join(',', Enumerable.Repeat(1, 65))}]", "[0,1]") + "}", 1, "*more than 64 entries*" },
        { One("\"F32\"", "[2]", "[0,4]") + "}", 4, "*needs 8 bytes, but its data_offsets are [0, 4]*" },
        { One("\"F32\"", "[1]", "[4,0]") + "}", 4, "*data_offsets are [4, 0]*" },
        { One("\"F32\"", "[1]", "[0]") + "}", 4, "*two data_offsets*" },
        { One("\"F32\"", "[1]", "[0,4,4]") + "}", 4, "*more than 2 entries*" },
        { One("\"F32\"", "[1]", "[0,4]") + "}", 5, "*need 4 bytes of data, but it has 5*" },
        { One("\"F32\"", "[1]", "[0,4]") + "}", 3, "*need 4 bytes of data, but it has 3*" },
        { One("\"F32\"", "[1000000000]", "[0,4000000000]") + "}", 4, "*need 4000000000 bytes of data, but it has 4*" },
        { One("\"U8\"", "[1]", "[1,2]") + "}", 2, "*leaves a hole*" },
        { One("\"U8\"", "[2]", "[0,2]") + ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3,
            "*'b' starts at byte 1, which overlaps*2 was expected*" },
        { One("\"BOOL\"", "[1]", "[0,1]") + "}", 1, "*BOOL tensor 'a' has a byte other than 0 and 1*" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void A_bad_header_is_refused_with_its_reason(string header, int dataBytes, string message)
    {
        var path = folder.At("bad.safetensors");
        // 7 is no bool, and any other number
        File.WriteAllBytes(path, [.. Prefix(Encoding.UTF8.GetByteCount(header)), .. Encoding.UTF8.GetBytes(header),
            .. Enumerable.Repeat((byte)7, dataBytes)]);
        LiveTensors.ChangeOver(() =>
        {
            var load = () => SafeTensors.Load(path);
            load.Should().Throw<InvalidDataException>().WithMessage(message).And.Message.Should().Contain(path);
        }).Should().Be(0);
    }

    [Fact]
    public void A_truncated_file_is_refused_with_its_sizes()
    {
        Refused([1, 2, 3], "*it has 3 bytes*starts with 8 bytes*");
        Refused([], "*it has 0 bytes*");
        Refused(Prefix(0), "*header length of 0 bytes*");
        Refused([.. Prefix(10), .. "{}"u8], "*header length of 10 bytes, but only 2 bytes follow (file size 10)*");
        Refused(Prefix(ulong.MaxValue), "*18446744073709551615*");
        Refused([.. Prefix(6), (byte)'{', (byte)'"', 0xff, 0xfe, (byte)'"', (byte)'}'], "*not JSON in UTF-8*");
    }

    [Fact]
    public void A_header_above_the_limit_of_the_format_is_refused_without_reading_it()
    {
        var path = folder.At("large.safetensors");
        using (var stream = File.Create(path))
        {
            stream.Write(Prefix(150_000_000));
            stream.SetLength(200_000_000);
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        var load = () => SafeTensors.ReadHeader(path);
        load.Should().Throw<InvalidDataException>().WithMessage("*150000000*100000000 is the most*");
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(10_000_000);
    }

    [Theory]
    [InlineData("one text", 1)]
    [InlineData("many texts", 90)]
    public void Metadata_without_end_are_refused_before_they_fill_the_memory(string what, int texts)
    {
        what.Should().NotBeEmpty();
        var path = folder.At("metadata.safetensors");
        using (var stream = File.Create(path))
        {
            stream.Write(Prefix(90_000_000));
            var each = 90_000_000 / texts;
            for (var i = 0; i < texts; i++)
            {
                var (begin, end) = (Encoding.UTF8.GetBytes($"{(i == 0 ? "{\"__metadata__\":{" : "")}\"t{i:d5}\":\""), i == texts - 1
                    ? "\"}}" : "\",");
                stream.Write(begin);
                stream.Write(Enumerable.Repeat((byte)'x', each - begin.Length - end.Length).ToArray());
                stream.Write(Encoding.UTF8.GetBytes(end));
            }
            stream.Write(new byte[(int)(90_000_008 - stream.Length)].Select(_ => (byte)' ').ToArray());
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        var load = () => SafeTensors.ReadHeader(path);
        load.Should().Throw<InvalidDataException>().WithMessage("*its metadata have more than 33554432 bytes, the most that are read*");
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(150_000_000);
    }

    [Fact]
    public void What_is_written_of_metadata_is_what_is_read()
    {
        using var scope = NewDisposeScope();
        var tensors = new Dictionary<string, Tensor> { ["a"] = zeros(1) };
        var most = new string('x', (1 << 25) - 100);
        SafeTensors.Save(folder.At("full"), tensors, new Dictionary<string, string> { ["text"] = most });
        SafeTensors.ReadHeader(folder.At("full")).Metadata["text"].Should().HaveLength(most.Length);
        var larger = () =>
            SafeTensors.Save(folder.At("full"), tensors, new Dictionary<string, string> { ["text"] = most, ["more"] = most });
        larger.Should().Throw<ArgumentException>().WithMessage("*a file can hold at most 33554432*");
        SafeTensors.ReadHeader(folder.At("full")).Metadata.Should().ContainSingle("a file that is there stays as it is");
    }

    [Fact]
    public void A_long_name_does_not_make_a_long_message()
    {
        var header = $"{{\"{new string('n', 100_000)}\":[]}}";
        var path = folder.At("bad");
        File.WriteAllBytes(path, [.. Prefix(header.Length), .. Encoding.UTF8.GetBytes(header)]);
        var load = () => SafeTensors.Load(path);
        load.Should().Throw<InvalidDataException>().Which.Message.Length.Should().BeLessThan(2000);
    }

    public static TheoryData<string> Texts =>
        [new string('n', 4000), "\u001b[2J\u001b[31mred", "two\r\nlines", "\u202eturned", "\u2028", "\u0000", "🙂" + new string('é', 1500)];

    [Theory, MemberData(nameof(Texts))]
    public void A_text_of_a_file_in_a_message_is_short_and_controls_nothing(string text)
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 4 }, seed: 1);
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 1 })) trainer.SaveCheckpoint(folder.At("good"));
        using var good = SafeTensors.Load(folder.At("good"));
        var json = System.Text.Json.JsonSerializer.Serialize(text);
        Action<Dictionary<string, Tensor>, Dictionary<string, string>>[] changes =
        [
            (_, metadata) => metadata["format"] = text,
            (_, metadata) => metadata["version"] = text,
            (_, metadata) => metadata["kind"] = text,
            (_, metadata) => metadata["options"] = text,
            (_, metadata) => metadata["options"] = $"{{{json}:1}}",
            (_, metadata) => metadata["options"] = metadata["options"].Replace("\"StandardNormal\"", json, StringComparison.Ordinal),
            (_, metadata) => metadata["training"] = $"{{{json}:1}}",
            (_, metadata) => metadata["state"] = $"{{{json}:{json}}}",
            (tensors, _) => tensors["model/" + text] = zeros(1),
            (tensors, _) => tensors["optimizer/" + text] = zeros(1),
            (tensors, _) => tensors["optimizer/exp_avg_sq." + text] = ones(1).neg(),
            (tensors, _) => tensors["best/" + text] = zeros(1),
        ];
        foreach (var change in changes)
        {
            var (tensors, metadata) = (new Dictionary<string, Tensor>(good.Tensors), new Dictionary<string, string>(good.Metadata));
            metadata.Remove(Checksum.Key);
            change(tensors, metadata);
            SafeTensors.Save(folder.At("bad"), tensors, metadata);
            Readable(() => Trainer.Resume(folder.At("bad")));
        }
        foreach (var header in new[] { $"{{{json}:[]}}", $"{{{json}:{{{json}:1}}}}", One(json, "[1]", "[0,4]") + "}",
            $"{{{json}:{{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}}}", $"{{\"__metadata__\":{{{json}:1}}}}",
            $"{{\"a\":{text}" })
        {
            File.WriteAllBytes(folder.At("bad"), [.. Prefix(Encoding.UTF8.GetByteCount(header)), .. Encoding.UTF8.GetBytes(header), 7]);
            Readable(() => SafeTensors.Load(folder.At("bad")));
        }

        void Readable(Action load)
        {
            var message = load.Should().Throw<InvalidDataException>().Which.Message;
            message.Length.Should().BeLessThan(1500);
            message.Should().Contain(folder.At("bad"));
            message.Any(c => char.IsControl(c) || c is '\u202e' or '\u2028').Should().BeFalse("it is shown on a terminal: {0}",
                message.Length);
        }
    }

    [Fact]
    public void A_damaged_file_loads_or_is_refused_and_leaves_no_tensor()
    {
        var path = folder.At("good.safetensors");
        using (NewDisposeScope())
            SafeTensors.Save(path, new Dictionary<string, Tensor> { ["weight"] = randn(3, 4), ["mask"] = ones(5, ScalarType.Bool),
                ["n"] = tensor(3L) },
                new Dictionary<string, string> { ["options"] = "{\"Shape\":[3]}" });
        var good = File.ReadAllBytes(path);
        var random = new Random(20240607);
        int loaded = 0, refused = 0;
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 600; i++)
        {
            var bad = (byte[])good.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--) bad[random.Next(bad.Length)] ^= (byte)random.Next(1, 256);
            if (i % 3 == 0) bad = bad[..random.Next(bad.Length)];
            File.WriteAllBytes(path, bad);
            try
            {
                using var file = SafeTensors.Load(path);
                loaded++;
            }
            catch (InvalidDataException) { refused++; }
        }
        (DisposeScopeManager.Statistics.ThreadTotalLiveCount - before).Should().Be(0);
        loaded.Should().BeGreaterThan(10, "flipped data bytes are still numbers");
        refused.Should().BeGreaterThan(300);
    }

    private void Refused(byte[] bytes, string message)
    {
        var path = folder.At("bad.safetensors");
        File.WriteAllBytes(path, bytes);
        var header = () => SafeTensors.ReadHeader(path);
        header.Should().Throw<InvalidDataException>().WithMessage(message);
    }

    private static string One(string dtype, string shape, string offsets) =>
        $"{{\"a\":{{\"dtype\":{dtype},\"shape\":{shape},\"data_offsets\":{offsets}}}";

    private static string Deep() => string.Concat(Enumerable.Repeat("{\"a\":", 5000)) + "1" + new string('}', 5000);

    private static byte[] Prefix(long length) => Prefix((ulong)length);

    private static byte[] Prefix(ulong length)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        return bytes;
    }
}
