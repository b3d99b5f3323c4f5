using System.IO.Compression;
using System.Text;
using RealNvp.PyTorch;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Files that accidents or people damaged: each loads or is refused with a reason, leaves no tensor, and takes no more memory
/// than its size warrants.</summary>
[LeavesNoTensors]
public sealed class HostilePyTorchTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    // written as Latin-1, each character a byte
    public static TheoryData<string, string> Pickles => new()
    {
        { "", "*ends before its last value*" },
        { "\u0080\u0002", "*ends before its last value*" },
        { "\u0080\u0009.", "*protocol 9*" },
        { ".", "*takes a value where there is none*" },
        { "NN.", "*leaves 1 value(s)*" },
        { "(.", "*takes a value where there is none*" },
        { "t.", "*ends a list of values that it has not begun*" },
        { "\u0085.", "*takes a value where there is none*" },
        { "h\u0005.", "*asks for value 5*" },
        { "j\u00ff\u00ff\u00ff\u00ff.", "*asks for value 4294967295*" },
        { "X\u00ff\u00ff\u00ff\u007f.", "*text of 2147483647 bytes*" },
        { "X\u0010\0\0\0short.", "*ends before its last value*" },
        { "X\u0001\0\0\0\u00ff.", "*no UTF-8*" },
        { "\u008a\u00ff\u0001.", "*ends before its last value*" },
        { "]Na", "*ends before its last value*" },
        { "NNa.", "*adds a value to what is no list*" },
        { "NNNs.", "*what is no dictionary*" },
        { "}N(u.", "*" },
        { "}(Nu.", "*key without a value*" },
        { "}NNs.", "*keys are neither texts nor whole numbers*" },
        { "}]Ns.", "*keys are neither texts nor whole numbers*" },
        { "NNR.", "*calls what is no function*" },
        { "cos\nsystem\nX\u0004\0\0\0true\u0085R.", "*wants to call os.system*" },
        { "cos\nsystem\n.", "*wants to call os.system*" },
        { "cbuiltins\neval\nX\u0001\0\0\01\u0085R.", "*wants to call builtins.eval*" },
        { "ctorch._utils\n_rebuild_tensor_v3\n)R.", "*wants to call torch._utils._rebuild_tensor_v3*" },
        { "ctorch._utils\n_rebuild_tensor_v2\n)R.", "*calls torch._utils._rebuild_tensor_v2 with arguments*" },
        { "ctorch._utils\n_rebuild_parameter\n(NNNtR.", "*calls torch._utils._rebuild_parameter with arguments*" },
        { "ctorch\nSize\n)R.", "*calls torch.Size with arguments*" },
        { "ccollections\nOrderedDict\nN\u0085R.", "*calls collections.OrderedDict with arguments*" },
        { "cx\ny\n)\u0081.", "*wants to call x.y*" },
        { "]}b.", "*sets the state of an object*" },
        { "NQ.", "*refers to something outside of it*" },
        { Storage("FloatStorage", -1) + ".", "*refers to something outside of it*" },
        { Storage("FloatStorage", long.MaxValue) + ".", "*says that it has 9223372036854775807 elements*" },
        { Storage("EvilStorage", 1) + ".", "*torch.EvilStorage, a type that tensors here cannot have*" },
        { Storage("FloatStorage", 4) + ".", "*a storage that is in no tensor*" },
        { "(" + Storage("FloatStorage", 4) + Storage("FloatStorage", 5) + "t.", "*two types or sizes*" },
        { Tensor(4, 0, [5], [1]), "*reaches beyond its storage*" },
        { Tensor(4, 4, [1], [1]), "*reaches beyond its storage*" },
        { Tensor(4, -1, [1], [1]), "*negative size, stride or offset*" },
        { Tensor(4, 0, [-1], [1]), "*negative size, stride or offset*" },
        { Tensor(4, 0, [2], [-1]), "*negative size, stride or offset*" },
        { Tensor(4, 0, [2, 2], [1]), "*with arguments that no version*" },
        { Tensor(4, 0, [long.MaxValue], [long.MaxValue]), "*too large for 64 bits*" },
        { Tensor(4, 0, [1L << 40, 1L << 40], [0, 0]), "*too large for 64 bits*" },
        { Tensor(4, 0, [1L << 30], [0]), "*too many for a file of*" },
        { Tensor(4, 0, [.. Enumerable.Repeat(1L, 65)], [.. Enumerable.Repeat(1L, 65)]), "*more than 64 dimensions*" },
        { Tensor(1L << 50, 0, [1], [1]), "*has 16 bytes, but 1125899906842624 elements of Float32 need*" },
        { "B\u0001\0\0\0x.", "*holds bytes*" },
        { "\u008f.", "*holds a set*" },
        { "P1\n.", "*operation, 0x50, that no file of tensors needs*" },
        // a list in itself; lists in lists in lists; one list in ever more others
        { "]q\0h\0a.", "*more values than its pickle has bytes*" },
        { new string(']', 5000) + new string('a', 4999) + ".", "*nested more than 64 deep*" },
        { Laughs(), "*more values than its pickle has bytes*" },
    };

    [Theory, MemberData(nameof(Pickles))]
    public void A_forged_pickle_is_refused_with_its_reason(string pickle, string message)
    {
        foreach (var path in new[] { Zip(pickle), Legacy(pickle) })
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var load = () => PyTorchFile.Load(path);
            // what follows the value in the older format may be at fault before the value is
            var shown = load.Should().Throw<InvalidDataException>().WithMessage(path.EndsWith("legacy.pt", StringComparison.Ordinal) ? "*"
                : message).Which.Message;
            shown.Should().Contain(path);
            shown.Length.Should().BeLessThan(1500);
            (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(1_000_000 + (100L * pickle.Length));
        }
    }

    [Fact]
    public void A_pickle_of_endless_values_is_refused() =>
        Refused(Zip("(" + new string('N', (1 << 22) + 1) + "t."), "*more than 4194304 values*", 100_000_000);

    [Fact]
    public void A_mutated_file_loads_or_is_refused()
    {
        string[] names = ["state_dict.pt", "state_dict_legacy.pt", "state_dict_protocol5.pt", "values.pt", "values_legacy.pt"];
        var good = names.Select(name => File.ReadAllBytes(PyTorchFileTests.At(name))).ToArray();
        var pickles = good.Select(FileBytes.Pickle).ToArray();
        var random = new Random(20261129);
        int loaded = 0, refused = 0;
        long largest = 0;
        for (var i = 0; i < 1000; i++)
        {
            var from = i % names.Length;
            var bad = (byte[])good[from].Clone();
            // half of them in the pickle, with the checksum mended so that it is read
            var inside = i % 2 == 0 && pickles[from] is not null;
            if (inside)
            {
                var pickle = (byte[])pickles[from]!.Clone();
                for (var flips = random.Next(1, 4); flips > 0; flips--) pickle[random.Next(pickle.Length)] = (byte)random.Next(256);
                bad = FileBytes.Replaced(good[from], pickle);
            }
            else
            {
                for (var flips = random.Next(1, 4); flips > 0; flips--) bad[random.Next(bad.Length)] ^= (byte)random.Next(1, 256);
                if (i % 3 == 0) bad = bad[..random.Next(bad.Length)];
            }
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var stream = new MemoryStream(bad);
                using var file = PyTorchFile.Load(stream);
                loaded++;
            }
            catch (InvalidDataException e)
            {
                refused++;
                e.Message.Length.Should().BeLessThan(1500);
                e.Message.Any(char.IsControl).Should().BeFalse("it is shown on a terminal");
            }
            largest = Math.Max(largest, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        loaded.Should().BeGreaterThan(30, "many bytes say nothing");
        refused.Should().BeGreaterThan(400);
        largest.Should().BeLessThan(2_000_000);
    }

    [Fact]
    public void An_archive_that_grows_when_it_is_read_is_refused()
    {
        var path = folder.At("bomb.pt");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            Write(zip, "a/data.pkl", Encoding.Latin1.GetBytes(Tensor(1 << 24, 0, [1 << 24], [1])), CompressionLevel.NoCompression);
            Write(zip, "a/data/0", new byte[1 << 26], CompressionLevel.Optimal);
        }
        new FileInfo(path).Length.Should().BeLessThan(1 << 20);
        Refused(path, "*'a/data/0' is compressed, which torch.save never does*");

        using (var zip = ZipFile.Open(folder.At("pickle.pt"), ZipArchiveMode.Create))
            Write(zip, "a/data.pkl", Encoding.Latin1.GetBytes("(" + new string('N', 1 << 20) + "t."), CompressionLevel.Optimal);
        Refused(folder.At("pickle.pt"), "*'a/data.pkl' is compressed*");
    }

    [Fact]
    public void Storages_that_lie_on_one_another_are_refused()
    {
        // a thousand entries of the directory point to the same megabyte
        var path = folder.At("overlap.pt");
        const int count = 200, bytes = 1 << 20;
        var pickle = new StringBuilder("(");
        for (var i = 0; i < count; i++) pickle.Append(Tensor(bytes / 4, 0, [bytes / 4], [1], $"{i:d3}")[..^1]);
        pickle.Append("t.");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            Write(zip, "a/data.pkl", Encoding.Latin1.GetBytes(pickle.ToString()), CompressionLevel.NoCompression);
            for (var i = 0; i < count; i++) Write(zip, $"a/data/{i:d3}", i == 0 ? new byte[bytes] : [], CompressionLevel.NoCompression);
        }
        var file = File.ReadAllBytes(path);
        FileBytes.Overlap(file, bytes);
        File.WriteAllBytes(path, file);
        Refused(path, "*its storages have * bytes in all, but the file has *");
    }

    [Theory, InlineData("a/data.pkl"), InlineData("a/data/0"), InlineData("a/byteorder")]
    public void An_entry_that_is_there_twice_is_refused_for_readers_do_not_agree_which_one_counts(string name)
    {
        var path = folder.At("twice.pt");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            Write(zip, "a/data.pkl", Encoding.Latin1.GetBytes(Tensor(4, 0, [4], [1])), CompressionLevel.NoCompression);
            Write(zip, "a/byteorder", "little"u8.ToArray(), CompressionLevel.NoCompression);
            Write(zip, "a/data/0", new byte[16], CompressionLevel.NoCompression);
        }
        PyTorchFile.Load(path).Dispose();
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Update))
            Write(zip, name, [.. Enumerable.Repeat((byte)1, 16)], CompressionLevel.NoCompression);
        Refused(path, $"*it has '{name}' twice*");
    }

    [Fact]
    public void A_damaged_number_is_found_by_the_checksum()
    {
        var bytes = File.ReadAllBytes(PyTorchFileTests.At("state_dict.pt"));
        // -1f, the first weight
        var at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0, 0, 0x80, 0xbf, 0, 0, 0x60, 0xbf]);
        at.Should().BePositive();
        bytes[at + 3] ^= 0x80;
        File.WriteAllBytes(folder.At("damaged.pt"), bytes);
        Refused(folder.At("damaged.pt"), "*checksum of '0' does not agree*");
    }

    [Fact]
    public void Files_with_another_byte_order_are_refused()
    {
        var path = folder.At("big.pt");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            Write(zip, "a/data.pkl", "N."u8.ToArray(), CompressionLevel.NoCompression);
            Write(zip, "a/byteorder", "big"u8.ToArray(), CompressionLevel.NoCompression);
        }
        Refused(path, "*byte order is 'big'*");
    }

    private static void Refused(string path, string message, long bytes = 4_000_000)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var load = () => PyTorchFile.Load(path);
        load.Should().Throw<InvalidDataException>().WithMessage(message);
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(bytes);
    }

    private string Zip(string pickle)
    {
        var path = folder.At("forged.pt");
        File.Delete(path);
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        Write(zip, "a/data.pkl", Encoding.Latin1.GetBytes(pickle), CompressionLevel.NoCompression);
        Write(zip, "a/data/0", new byte[16], CompressionLevel.NoCompression);
        return path;
    }

    private string Legacy(string pickle)
    {
        const string head = "\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019.\u0080\u0002M\u00e9\u0003.\u0080\u0002}.";
        var path = folder.At("legacy.pt");
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes(head + pickle + "](X\u0001\0\0\00e.\u0004\0\0\0\0\0\0\0" + new string('\0', 16)));
        return path;
    }

    private static void Write(ZipArchive zip, string name, byte[] bytes, CompressionLevel level)
    {
        using var stream = zip.CreateEntry(name, level).Open();
        stream.Write(bytes);
    }

    private static string Storage(string type, long count, string key = "0") =>
        $"(X\u0007\0\0\0storagectorch\n{type}\nX{(char)key.Length}\0\0\0{key}X\u0003\0\0\0cpu{Whole(count)}tQ";

    private static string Tensor(long count, long offset, long[] shape, long[] strides, string key = "0") =>
        $"ctorch._utils\n_rebuild_tensor_v2\n({Storage("FloatStorage", count, key)}{Whole(offset)}({string.Concat(shape.Select(Whole))}t" +
        $"({string.Concat(strides.Select(Whole))}t\u0089NtR.";

    private static string Whole(long number) => "\u008a\u0008" + Encoding.Latin1.GetString(BitConverter.GetBytes(number));

    // each list has the one before ten times
    private static string Laughs() => "(" + string.Concat(Enumerable.Range(1, 30).Select(i =>
        $"]q{(char)i}({(i == 1 ? "N" : string.Concat(Enumerable.Repeat($"h{(char)(i - 1)}", 10)))}e")) + "t.";
}
