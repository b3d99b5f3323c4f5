using RealNvp.Samples.Common;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Samples;

public class ImageReaderTests
{
    private static readonly byte[] Six = [1, 2, 3, 4, 5, 6];

    [Theory]
    [InlineData("x-idx3-ubyte")]
    [InlineData("x-idx3-ubyte.gz")]
    [InlineData("x-idx3-ubyte.br")]
    public void An_idx_file_gives_its_shape_and_its_bytes(string name)
    {
        using var folder = new TemporaryFolder();
        using var images = IdxFile.Read(folder.Write(name, TemporaryFolder.Idx([1, 2, 3], Six)));
        images.shape.Should().Equal(1, 2, 3);
        images.data<byte>().ToArray().Should().Equal(Six);
    }

    public static TheoryData<byte[], string> BrokenIdx => new()
    {
        { [], "*starts with the bytes 00000000*" },
        { [0, 0, 8], "*starts with the bytes 000008*" },
        { [0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0], "*starts with the bytes 00000D01*unsigned bytes*" },
        { "\x89PNG...."u8.ToArray(), "*starts with the bytes*" },
        { [0, 0, 8, 9, 0, 0, 0, 1], "*starts with the bytes 00000809*" },
        { [0, 0, 8, 2, 0, 0, 0, 1, 0], "*ends within its header*2 sizes*" },
        { TemporaryFolder.Idx([2, 2, 3], Six), "*shape (2, 2, 3), which is 12 bytes*only 6*" },
        { TemporaryFolder.Idx([1, 1, 3], Six), "*shape (1, 1, 3), which is 3 bytes*more*" },
        { TemporaryFolder.Idx([0, 2, 3], []), "*shape (0, 2, 3)*at least 1*" },
        { TemporaryFolder.Idx([uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue], Six), "*shape (4294967295*less than*" },
        { TemporaryFolder.Idx([60000, 28, 1000], Six), "*1680000000 bytes*only 6*" },
    };

    [Theory]
    [MemberData(nameof(BrokenIdx))]
    public void A_broken_idx_file_is_refused_without_memory_for_what_it_states(byte[] bytes, string message)
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "x", "x.gz", "x.br" })
        {
            var path = folder.Write(name, bytes);
            var before = GC.GetAllocatedBytesForCurrentThread();
            FluentActions.Invoking(() => IdxFile.Read(path)).Should().Throw<DataFormatException>().WithMessage(message);
            (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(4_000_000);
        }
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".br")]
    public void A_truncated_or_wrong_compressed_file_is_refused(string ending)
    {
        using var folder = new TemporaryFolder();
        var whole = folder.Write("x" + ending,
            TemporaryFolder.Idx([100, 10, 10], [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * i % 251))]));
        var bytes = File.ReadAllBytes(whole);
        File.WriteAllBytes(whole, bytes[..(bytes.Length / 2)]);
        FluentActions.Invoking(() => IdxFile.Read(whole)).Should().Throw<DataFormatException>().WithMessage("*x" + ending + "*");
        File.WriteAllBytes(whole, [.. "<html>this is a web page</html>"u8]);
        FluentActions.Invoking(() => IdxFile.Read(whole)).Should().Throw<DataFormatException>().WithMessage("*cannot be decompressed*");
    }

    [Fact]
    public void A_file_that_is_not_there_is_named()
    {
        FluentActions.Invoking(() => IdxFile.Read("no-such-file")).Should().Throw<FileNotFoundException>().WithMessage("*no-such-file*");
        FluentActions.Invoking(() => ImageFolder.Open("no-such-folder")).Should().Throw<DirectoryNotFoundException>()
            .WithMessage("*no-such-folder*");
    }

    [Fact]
    public void The_digits_have_17_levels_and_a_fixed_split()
    {
        using var digits = ImageFolder.Open(SampleData.Digits);
        using var again = ImageFolder.Open(SampleData.Digits);
        using var scope = NewDisposeScope();
        digits.Train.Images.shape.Should().Equal(1438, 1, 8, 8);
        digits.Test.Images.shape.Should().Equal(359, 1, 8, 8);
        (digits.Train.Levels, digits.Train.Images.max().ToInt32(), digits.Train.Images.min().ToInt32()).Should().Be((17, 16, 0));
        digits.Train.Labels!.dtype.Should().Be(ScalarType.Int64);
        digits.Test.Images.data<byte>().ToArray().Should().Equal(again.Test.Images.data<byte>().ToArray());
        // sums of the whole file, so no image is lost or taken twice
        (digits.Train.Images.sum().ToInt64() + digits.Test.Images.sum().ToInt64()).Should().Be(561_718);
        cat([digits.Train.Labels!, digits.Test.Labels!]).data<long>().ToArray().CountBy(l => l).OrderBy(c => c.Key).Select(c => c.Value)
            .Should().Equal(178, 182, 177, 183, 181, 182, 181, 179, 174, 180);
    }

    [Fact]
    public void A_folder_with_the_files_of_MNIST_is_recognised()
    {
        using var folder = new TemporaryFolder();
        folder.Write("train-images-idx3-ubyte.gz", TemporaryFolder.Idx([3, 1, 2], Six));
        folder.Write("train-labels-idx1-ubyte", TemporaryFolder.Idx([3], [7, 8, 9]));
        FluentActions.Invoking(() => ImageFolder.Open(folder.Path)).Should().Throw<DataFormatException>().WithMessage("*no t10k-images*");
        folder.Write("t10k-images.idx3-ubyte.br", TemporaryFolder.Idx([1, 2, 3], Six));
        using var split = ImageFolder.Open(folder.Path);
        split.Train.Images.shape.Should().Equal(3, 1, 1, 2);
        split.Train.Labels!.data<long>().ToArray().Should().Equal(7, 8, 9);
        split.Train.Name.Should().Be(Path.GetFileName(folder.Path));
        split.Train.Levels.Should().Be(256);
        split.Test.Images.shape.Should().Equal(1, 1, 2, 3);
        split.Test.Labels.Should().BeNull();
    }

    [Fact]
    public void Labels_of_another_number_of_images_are_refused()
    {
        using var folder = new TemporaryFolder();
        folder.Write("train-images-idx3-ubyte", TemporaryFolder.Idx([3, 1, 2], Six));
        folder.Write("t10k-images-idx3-ubyte", TemporaryFolder.Idx([3, 1, 2], Six));
        folder.Write("train-labels-idx1-ubyte", TemporaryFolder.Idx([2], [7, 8]));
        FluentActions.Invoking(() => ImageFolder.Open(folder.Path)).Should().Throw<DataFormatException>()
            .WithMessage("*shape (2)*each of the 3 images*");
    }

    [Fact]
    public void Digits_above_16_are_refused()
    {
        using var folder = new TemporaryFolder();
        folder.Write("digits-1x1x2-idx3-ubyte", TemporaryFolder.Idx([1, 1, 2], [16, 17]));
        FluentActions.Invoking(() => ImageFolder.Open(folder.Path)).Should().Throw<DataFormatException>().WithMessage("*value 17*0 to 16*");
    }

    [Fact]
    public void A_folder_with_something_else_is_refused_and_says_what_is_there()
    {
        using var folder = new TemporaryFolder();
        folder.Write("holiday.jpg", 1, 2, 3);
        FluentActions.Invoking(() => ImageFolder.Open(folder.Path)).Should().Throw<DataFormatException>()
            .WithMessage("*no known image data*found holiday.jpg*");
    }

    [Fact]
    public void A_CIFAR_batch_gives_red_green_and_blue_planes()
    {
        using var folder = new TemporaryFolder();
        using var batch = Cifar10.Read(folder.Write("data_batch_1.bin.br", Cifar(3, 0)));
        batch.Images.shape.Should().Equal(3, 3, 32, 32);
        batch.Labels!.data<long>().ToArray().Should().Equal(0, 1, 2);
        batch.Images[2, 1, 0, 0].ToByte().Should().Be(101, "record 2 has 100 + channel");
    }

    [Fact]
    public void CIFAR_without_a_test_batch_holds_its_last_records_out()
    {
        using var folder = new TemporaryFolder();
        folder.Write("data_batch_1.bin.gz", Cifar(6, 0));
        folder.Write("data_batch_2.bin", Cifar(4, 6));
        folder.Write("data_batch_2.bin.br", Cifar(4, 6));
        using (var split = ImageFolder.Open(folder.Path))
        {
            split.Train.Labels!.data<long>().ToArray().Should().Equal(0, 1, 2, 3, 4, 5, 6, 7);
            split.Test.Labels!.data<long>().ToArray().Should().Equal(8, 9);
        }
        folder.Write("test_batch.bin", Cifar(1, 3));
        using (var split = ImageFolder.Open(folder.Path))
        {
            split.Train.Count.Should().Be(10);
            split.Test.Labels!.data<long>().ToArray().Should().Equal(3);
        }
    }

    [Fact]
    public void A_broken_CIFAR_batch_is_refused()
    {
        using var folder = new TemporaryFolder();
        var bytes = Cifar(2, 0);
        FluentActions.Invoking(() => Cifar10.Read(folder.Write("a.bin", bytes[..^1]))).Should().Throw<DataFormatException>()
            .WithMessage("*6145 bytes*1 records*3072 more*");
        FluentActions.Invoking(() => Cifar10.Read(folder.Write("b.bin"))).Should().Throw<DataFormatException>().WithMessage("*0 bytes*");
        bytes[3073] = 10;
        FluentActions.Invoking(() => Cifar10.Read(folder.Write("c.bin", bytes))).Should().Throw<DataFormatException>()
            .WithMessage("*record 1 has the label 10*");
    }

    [Fact]
    public void Select_copies_the_images_that_are_asked_for()
    {
        using var digits = ImageFolder.Open(SampleData.Digits);
        using var two = digits.Test.Select([5, 0]);
        two.Count.Should().Be(2);
        using var scope = NewDisposeScope();
        two.Images[0].data<byte>().ToArray().Should().Equal(digits.Test.Images[5].data<byte>().ToArray());
        FluentActions.Invoking(() => digits.Test.Select([359])).Should().Throw<ArgumentException>().WithMessage("*0 to 358*");
    }

    [Fact]
    public void Reading_leaves_no_tensor_behind()
    {
        using var folder = new TemporaryFolder();
        folder.Write("data_batch_1.bin", Cifar(4, 0));
        folder.Write("data_batch_2.bin", Cifar(4, 0));
        LiveTensors.ChangeOver(() => ImageFolder.Open(SampleData.Digits).Dispose()).Should().Be(0);
        LiveTensors.ChangeOver(() => ImageFolder.Open(folder.Path).Dispose()).Should().Be(0);
        folder.Write("test_batch.bin", Cifar(1, 3));
        LiveTensors.ChangeOver(() => ImageFolder.Open(folder.Path).Dispose()).Should().Be(0);
    }

    /// <summary>Records with rising labels, whose planes hold 50 * index + channel.</summary>
    private static byte[] Cifar(int count, int firstLabel) =>
        [.. Enumerable.Range(0, count).SelectMany(i => (byte[])[(byte)(firstLabel + i),
            .. Enumerable.Range(0, 3072).Select(p => (byte)(50 * i + p / 1024))])];
}
