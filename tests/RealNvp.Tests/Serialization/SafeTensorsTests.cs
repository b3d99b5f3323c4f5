using System.Buffers.Binary;
using System.Text;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int8)]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Bool)]
    public void Every_dtype_comes_back_with_its_bytes(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var value = arange(0, 24, ScalarType.Float32, CPU).sub(5).abs().reshape(2, 3, 4).to(type);
        var path = folder.At("a.safetensors");
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["value"] = value });
        using var file = SafeTensors.Load(path);
        file["value"].dtype.Should().Be(type);
        file["value"].shape.Should().Equal(2, 3, 4);
        file["value"].bytes.ToArray().Should().Equal(value.bytes.ToArray());
    }

    [Fact]
    public void Strided_scalar_and_empty_tensors_come_back()
    {
        using var scope = NewDisposeScope();
        var matrix = randn(5, 3);
        var path = folder.At("a.safetensors");
        SafeTensors.Save(path, new Dictionary<string, Tensor>
        {
            ["transposed"] = matrix.t(), ["part"] = matrix.narrow(0, 1, 2), ["expanded"] = matrix.narrow(1, 0, 1).expand(5, 4),
            ["number"] = tensor(2.5), ["nothing"] = zeros(0, 3), ["weight"] = nn.Parameter(randn(2)),
        });
        using var file = SafeTensors.Load(path);
        file["transposed"].allclose(matrix.t(), 0, 0).Should().BeTrue();
        file["transposed"].is_contiguous().Should().BeTrue();
        file["part"].allclose(matrix.narrow(0, 1, 2), 0, 0).Should().BeTrue();
        file["expanded"].shape.Should().Equal(5, 4);
        file["number"].shape.Should().BeEmpty();
        file["number"].ToDouble().Should().Be(2.5);
        file["nothing"].shape.Should().Equal(0, 3);
        file["weight"].requires_grad.Should().BeFalse();
    }

    [Fact]
    public void A_file_of_the_Python_library_loads()
    {
        using var file = SafeTensors.Load(Path.Combine(AppContext.BaseDirectory, "Golden", "chrischute_squeeze_masks", "data.safetensors"));
        file.Metadata["case"].Should().Be("chrischute_squeeze_masks");
        file["squeeze"].shape.Should().Equal(2, 12, 2, 2);
        file["x"].shape.Should().Equal(2, 3, 4, 4);
        // A squeeze only moves elements, and a squeeze undone gives the input.
        file["unsqueeze_of_squeeze"].bytes.SequenceEqual(file["x"].bytes).Should().BeTrue();
        using var sum = file["mask_8x8"].sum();
        sum.ToDouble().Should().Be(32);
    }

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        using var scope = NewDisposeScope();
        var path = folder.At("a.safetensors");
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["b"] = tensor(new byte[] { 7 }), ["a"] = tensor(new[] { 1f, 2f }) },
            new Dictionary<string, string> { ["é"] = "ü" });
        var bytes = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        (length % 8).Should().Be(0);
        Encoding.UTF8.GetString(bytes, 8, length).TrimEnd(' ').Should().Be(
            """{"__metadata__":{"é":"ü"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}""");
        bytes[(8 + length)..].Should().Equal(0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 7);
    }

    [Fact]
    public void The_order_of_the_dictionary_does_not_change_the_bytes()
    {
        using var scope = NewDisposeScope();
        Tensor a = randn(3), b = arange(4), c = randn(2);
        SafeTensors.Save(folder.At("1"), new Dictionary<string, Tensor> { ["a"] = a, ["b"] = b, ["c"] = c },
            new Dictionary<string, string> { ["x"] = "1", ["y"] = "2" });
        SafeTensors.Save(folder.At("2"), new Dictionary<string, Tensor> { ["c"] = c, ["b"] = b, ["a"] = a },
            new Dictionary<string, string> { ["y"] = "2", ["x"] = "1" });
        File.ReadAllBytes(folder.At("1")).Should().Equal(File.ReadAllBytes(folder.At("2")));
    }

    [Fact]
    public void The_header_is_read_without_a_tensor()
    {
        using var scope = NewDisposeScope();
        var path = folder.At("a.safetensors");
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["w"] = randn(2, 3) },
            new Dictionary<string, string> { ["options"] = "{}" });
        var before = DisposeScopeManager.Statistics.CreatedInScopeCount;
        var header = SafeTensors.ReadHeader(path);
        (DisposeScopeManager.Statistics.CreatedInScopeCount - before).Should().Be(0);
        header.Metadata.Should().ContainKey("options").WhoseValue.Should().Be("{}");
        header.Entries["w"].Shape.Should().Equal(2, 3);
        header.Entries["w"].ByteCount.Should().Be(24);
        header.Entries["w"].ToString().Should().Be("w: Float32 [2, 3]");
    }

    [Fact]
    public void A_save_that_fails_keeps_the_old_file_and_leaves_no_other()
    {
        var path = folder.At("a.safetensors");
        File.WriteAllText(path, "old");
        var save = () => AtomicFile.Write(path, stream => { stream.WriteByte(1); throw new IOException("disk full"); });
        save.Should().Throw<IOException>()
            .WithMessage($"*a.safetensors*could not be written, and the file that is there stays as it is: disk full.");
        File.ReadAllText(path).Should().Be("old");
        folder.Names.Should().Equal("a.safetensors");

        Directory.CreateDirectory(folder.At("folder"));
        var onFolder = () => AtomicFile.Write(folder.At("folder"), stream => stream.WriteByte(1));
        onFolder.Should().Throw<Exception>();
        folder.Names.Should().Equal("a.safetensors", "folder");
    }

    [Fact]
    public void A_save_replaces_the_file_behind_a_link()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows asks for a privilege to make a link");
        File.WriteAllText(folder.At("real"), "old");
        File.CreateSymbolicLink(folder.At("link"), folder.At("real"));
        AtomicFile.Write(folder.At("link"), stream => stream.WriteByte((byte)'n'));
        File.ReadAllText(folder.At("real")).Should().Be("n");
        folder.Names.Should().Equal("link", "real");
    }

    [Fact]
    public void What_the_format_cannot_hold_is_refused_before_a_file_is_made()
    {
        using var scope = NewDisposeScope();
        var disposed = zeros(1);
        disposed.Dispose();
        var wrong = new Dictionary<string, Tensor>
        {
            ["__metadata__"] = zeros(1), ["half \ud800"] = zeros(1), ["gone"] = disposed, ["complex"] = zeros(1, ScalarType.ComplexFloat32),
            ["meta"] = zeros(1, device: new Device(DeviceType.META)), ["sparse"] = sparse_coo_tensor(zeros(1, 1, ScalarType.Int64), ones(1),
                [2L]),
        };
        foreach (var (name, value) in wrong)
        {
            var save = () => SafeTensors.Save(folder.At("a"), new Dictionary<string, Tensor> { ["good"] = zeros(1), [name] = value });
            save.Should().Throw<ArgumentException>(name);
        }
        folder.Names.Should().BeEmpty();
    }

    [Fact]
    public void Saving_and_loading_leave_no_tensor()
    {
        using var value = randn(4, 3);
        var path = folder.At("a.safetensors");
        LiveTensors.ChangeOver(() =>
        {
            SafeTensors.Save(path, new Dictionary<string, Tensor> { ["w"] = value, ["n"] = value });
            using var file = SafeTensors.Load(path);
        }).Should().Be(0);
    }
}
