using System.Numerics;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Files that PyTorch 2.6 wrote; PyTorch/Files/make_reader.py has the values.</summary>
[LeavesNoTensors]
public class PyTorchFileTests
{
    internal static string At(string name) => Path.Combine(AppContext.BaseDirectory, "PyTorch", "Files", name);

    [Theory]
    [InlineData("state_dict.pt")]
    [InlineData("state_dict_legacy.pt")]
    [InlineData("state_dict_protocol3.pt")]
    [InlineData("state_dict_protocol5.pt")]
    public void A_state_dict_comes_back_with_its_names_and_numbers(string name)
    {
        using var file = PyTorchFile.Load(At(name));
        file.Tensors.Keys.Should().Equal("a.weight", "a.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var",
            "bn.num_batches_tracked", "b.weight", "b.bias");
        file["a.weight"].shape.Should().Equal(4, 3);
        file["a.weight"].data<float>().ToArray().Should().Equal(Enumerable.Range(0, 12).Select(i => (i / 8f) - 1));
        file["bn.num_batches_tracked"].dtype.Should().Be(ScalarType.Int64);
        file["bn.num_batches_tracked"].ToInt64().Should().Be(1);
        file["a.weight"].requires_grad.Should().BeFalse();
        var missing = () => file["c"];
        missing.Should().Throw<KeyNotFoundException>().WithMessage("*no tensor 'c'; it has 9 tensors: a.weight, *");
    }

    [Theory, InlineData("values.pt"), InlineData("values_legacy.pt")]
    public void Every_value_that_is_read_comes_back(string name)
    {
        using var scope = NewDisposeScope();
        using var file = PyTorchFile.Load(At(name));
        var values = (IReadOnlyDictionary<object, object?>)file.Value!;
        values["epoch"].Should().Be(3L);
        values["lr"].Should().Be(1e-3);
        values["none"].Should().BeNull();
        values["yes"].Should().Be(true);
        values["no"].Should().Be(false);
        values["large"].Should().Be(1L << 40);
        values["negative"].Should().Be(-7L);
        values["byte"].Should().Be(200L);
        values["word"].Should().Be(60000L);
        values["huge"].Should().Be(BigInteger.Pow(2, 70));
        values["text"].Should().Be("Grüße");
        values["tuple"].Should().BeAssignableTo<IReadOnlyList<object?>>().Which.Should().Equal(1L, "two", 3.5);
        values["size"].Should().BeAssignableTo<IReadOnlyList<object?>>().Which.Should().Equal(4L, 6L);
        values[0L].Should().Be("key");
        values["list"].Should().BeAssignableTo<IReadOnlyList<object?>>().Which[0].Should().BeSameAs(file["list.0"]);
        file["list.1.deep"].ToSingle().Should().Be(0);

        var whole = arange(24, dtype: float32).reshape(4, 6);
        Same(file["parameter"], tensor(new[] { 1.5f, 2.5f }));
        Same(file["transposed"], whole.t());
        file["transposed"].stride().Should().Equal(1, 6);
        Same(file["part"], whole[1..3, TensorIndex.Slice(step: 2)]);
        Same(file["expanded"], full([3, 4], 7f));
        file["empty"].shape.Should().Equal(0, 3);
        file["number"].shape.Should().BeEmpty();
        file["number"].ToSingle().Should().Be(2.5f);
    }

    [Theory, InlineData("values.pt"), InlineData("values_legacy.pt")]
    public void Every_dtype_comes_back(string name)
    {
        using var scope = NewDisposeScope();
        using var file = PyTorchFile.Load(At(name));
        var types = new Dictionary<string, ScalarType>
        {
            ["float64"] = ScalarType.Float64, ["float32"] = ScalarType.Float32, ["float16"] = ScalarType.Float16,
            ["bfloat16"] = ScalarType.BFloat16, ["int64"] = ScalarType.Int64, ["int32"] = ScalarType.Int32, ["int16"] = ScalarType.Int16,
            ["int8"] = ScalarType.Int8, ["uint8"] = ScalarType.Byte, ["bool"] = ScalarType.Bool, ["complex64"] = ScalarType.ComplexFloat32,
            ["complex128"] = ScalarType.ComplexFloat64,
        };
        foreach (var (key, type) in types)
        {
            var read = file[$"dtypes.{key}"];
            read.dtype.Should().Be(type);
            Same(read, tensor(new[] { 0L, 1L, 2L, 3L }).to(type));
        }
    }

    [Theory, InlineData("values.pt"), InlineData("values_legacy.pt")]
    public void Tensors_that_share_memory_in_the_file_share_it_here(string name)
    {
        using var scope = NewDisposeScope();
        using var file = PyTorchFile.Load(At(name));
        Same(file["second"], tensor(new[] { 2f, 3f, 4f, 5f }));
        file["first"][2] = tensor(9f);
        file["second"][0].ToSingle().Should().Be(9);
        file["same.0"].Should().BeSameAs(file["same.1"]);
    }

    [Fact]
    public void A_checkpoint_comes_back_with_its_optimizer()
    {
        using var file = PyTorchFile.Load(At("checkpoint.pt"));
        var values = (IReadOnlyDictionary<object, object?>)file.Value!;
        values.Keys.Should().Equal("model", "optimizer", "epoch");
        file.Tensors.Should().ContainKey("model.a.weight");
        file["optimizer.state.0.exp_avg"].shape.Should().Equal(4, 3);
    }

    [Theory]
    [InlineData("module.pt", "*wants to call torch.nn.modules.container.Sequential*torch.save(model.state_dict(), path)*")]
    [InlineData("script.pt", "*TorchScript*torch.save(model.state_dict(), path)*")]
    [InlineData("evil.pt", "*wants to call posix.system. Nothing in a file is run*")]
    [InlineData("device.pt", "*wants to call torch.device*")]
    [InlineData("set.pt", "*wants to call __builtin__.set*")]
    [InlineData("sparse.pt", "*wants to call torch.serialization._get_layout*")]
    [InlineData("float8.pt", "*torch.storage.UntypedStorage*")]
    [InlineData("plain.pkl", "*plain pickle*")]
    public void What_is_not_read_is_refused_by_its_name(string name, string message)
    {
        var load = () => PyTorchFile.Load(At(name));
        load.Should().Throw<InvalidDataException>().WithMessage(message).And.Message.Should().Contain(At(name));
    }

    [Fact]
    public void A_file_of_another_kind_is_refused_with_what_reads_it()
    {
        var load = () => PyTorchFile.Load(Path.Combine(AppContext.BaseDirectory, "Golden", "chrischute_squeeze_masks", "data.safetensors"));
        load.Should().Throw<InvalidDataException>().WithMessage("*SafeTensors.Load*");
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.At("empty.pt"), []);
        var empty = () => PyTorchFile.Load(folder.At("empty.pt"));
        empty.Should().Throw<InvalidDataException>().WithMessage("*no valid file of torch.save: it has 0 bytes*");
        File.WriteAllText(folder.At("text.pt"), "version https://git-lfs.github.com/spec/v1");
        var text = () => PyTorchFile.Load(folder.At("text.pt"));
        text.Should().Throw<InvalidDataException>().WithMessage("*first bytes*");
        var absent = () => PyTorchFile.Load(folder.At("absent.pt"));
        absent.Should().Throw<FileNotFoundException>();
    }

    [Theory, InlineData("state_dict.pt"), InlineData("state_dict_legacy.pt")]
    public void What_reads_safetensors_says_of_a_file_of_torch_save_what_reads_it(string name)
    {
        foreach (var load in new Action[] { () => SafeTensors.Load(At(name)), () => FlowModel.Load(At(name)),
            () => RealNvp.Scoring.FlowScorer.Load(At(name)) })
            load.Should().Throw<InvalidDataException>().WithMessage("*begins as a file of torch.save does*PyTorchFile.Load*");
        using var pointer = new MemoryStream("version https://git-lfs.github.com/spec/v1"u8.ToArray());
        ((Action)(() => FlowModel.Load(pointer))).Should().Throw<InvalidDataException>().WithMessage("*pointer of Git LFS*git lfs pull*");
    }

    [Fact]
    public void A_stream_is_read_as_a_file_is()
    {
        using var stream = new MemoryStream(File.ReadAllBytes(At("state_dict.pt")));
        using var file = PyTorchFile.Load(stream);
        file.Tensors.Should().HaveCount(9);
        stream.CanRead.Should().BeTrue("it is left open");
        stream.Dispose();
        var closed = () => PyTorchFile.Load(stream);
        closed.Should().Throw<ArgumentException>().WithMessage("*MemoryStream is closed*");
    }

    private static void Same(Tensor actual, Tensor expected)
    {
        actual.shape.Should().Equal(expected.shape);
        actual.eq(expected).all().ToBoolean().Should().BeTrue();
    }
}
