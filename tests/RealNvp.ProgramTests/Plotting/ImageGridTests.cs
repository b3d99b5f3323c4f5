using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class ImageGridTests
{
    [Fact]
    public void Each_pixel_becomes_a_sharp_square_of_its_grey()
    {
        using var images = arange(0, 12, dtype: uint8).reshape(3, 2, 2);
        using var png = Png.Decode(new ImageGrid(images, new() { Columns = 2, Scale = 3, Padding = 1, Levels = 12 }));

        (png.Width, png.Height).Should().Be((2 * 7 + 1, 2 * 7 + 1));
        for (var i = 0; i < 3; i++)
            for (var y = 0; y < 6; y++)
                for (var x = 0; x < 6; x++)
                {
                    var expected = (byte)Math.Round(255.0 * (4 * i + 2 * (y / 3) + x / 3) / 11);
                    png.GetPixel(1 + 7 * (i % 2) + x, 1 + 7 * (i / 2) + y).Should().Be(new SKColor(expected, expected, expected));
                }
        png.GetPixel(0, 0).Should().Be(SKColors.White, "the padding is white");
        png.GetPixel(10, 10).Should().Be(SKColors.White, "the last row has no second image");
    }

    [Fact]
    public void Three_channels_are_red_green_and_blue()
    {
        using var image = tensor(new float[] { 1, 0, 0.5f, 1, 0, 1 }).reshape(1, 3, 1, 2);
        using var png = Png.Decode(new ImageGrid(image, new() { Scale = 1, Padding = 0, Range = (0, 1) }));
        png.GetPixel(0, 0).Should().Be(new SKColor(255, 128, 0));
        png.GetPixel(1, 0).Should().Be(new SKColor(0, 255, 255));
    }

    [Theory]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Every_real_dtype_gives_the_same_picture(ScalarType dtype)
    {
        using var images = arange(0, 16, dtype: int32).reshape(1, 1, 4, 4);
        using var typed = images.to(dtype);
        new ImageGrid(typed, new() { Levels = 17 }).ToPng().Should().Equal(new ImageGrid(images, new() { Levels = 17 }).ToPng());
    }

    [Fact]
    public void Values_outside_the_range_are_drawn_as_the_nearer_end()
    {
        using var image = tensor(new[] { -5f, 300f }).reshape(1, 1, 2);
        using var png = Png.Decode(new ImageGrid(image, new() { Scale = 1, Padding = 0, Levels = 256 }));
        png.GetPixel(0, 0).Should().Be(SKColors.Black);
        png.GetPixel(1, 0).Should().Be(SKColors.White);
    }

    [Fact]
    public void A_strided_tensor_that_needs_a_gradient_is_drawn_and_left_as_it_is()
    {
        using var source = rand(4, 4, 2, requires_grad: true);
        using var images = source.permute(2, 0, 1);
        using var same = images.detach().contiguous();
        new ImageGrid(images, new() { Range = (0, 1) }).ToPng().Should().Equal(new ImageGrid(same, new() { Range = (0, 1) }).ToPng());
        source.requires_grad.Should().BeTrue();
    }

    [Fact]
    public void Rows_of_numbers_are_images_of_a_shape()
    {
        using var images = arange(0, 36, dtype: float32).reshape(3, 3, 2, 2);
        var options = new ImageGridOptions { Range = (0, 36) };
        var rows = new double[3, 12];
        for (var i = 0; i < 36; i++) rows[i / 12, i % 12] = i;
        ImageGrid.FromRows(rows, [3, 2, 2], options).ToPng().Should().Equal(new ImageGrid(images, options).ToPng());
        FluentActions.Invoking(() => ImageGrid.FromRows(rows, [1, 2, 2], options)).Should().Throw<ArgumentException>()
            .WithMessage("rows has shape (3, 12)*a row of 4*");
    }

    [Fact]
    public void Small_images_are_enlarged_without_being_asked()
    {
        using var images = zeros(4, 8, 8, dtype: uint8);
        var grid = new ImageGrid(images);
        (grid.Width, grid.Height).Should().Be((2 * 56 + 3 * 2, 2 * 56 + 3 * 2), "56 pixels each, in two columns, with a padding of 2");
    }

    [Fact]
    public void Titles_are_drawn_beside_and_above_the_images()
    {
        using var images = full(new long[] { 4, 8, 8 }, 255, dtype: uint8);
        var plain = new ImageGrid(images, new() { Columns = 2 });
        var grid = new ImageGrid(images, new() { RowTitles = ["T = 0.5", "T = 1.0"], ColumnTitles = ["data", "reconstruction"],
            Title = "temperatures" });
        using var png = Png.Decode(grid);
        grid.Width.Should().BeGreaterThan(plain.Width);
        grid.Height.Should().BeGreaterThan(plain.Height);
        png.DarkPixels(0, 60, 60, png.Height).Should().BeGreaterThan(60, "row titles");
        png.DarkPixels(60, 36, png.Width, 58).Should().BeGreaterThan(60, "column titles");
        png.DarkPixels(0, 0, png.Width, 34).Should().BeGreaterThan(60, "the title");
    }

    [Fact]
    public void A_wrong_shape_is_refused_with_both_shapes()
    {
        using var images = zeros(2, 4, 8, 8, dtype: uint8);
        FluentActions.Invoking(() => new ImageGrid(images)).Should().Throw<ArgumentException>()
            .WithMessage("*(2, 4, 8, 8)*(N, C, H, W) with C = 1 or 3*");
        using var vector = zeros(8);
        FluentActions.Invoking(() => new ImageGrid(vector)).Should().Throw<ArgumentException>().WithMessage("*(8,)*");
    }

    [Fact]
    public void An_empty_batch_and_NaN_are_refused()
    {
        using var none = zeros(0, 8, 8);
        FluentActions.Invoking(() => new ImageGrid(none)).Should().Throw<ArgumentException>().WithMessage("*(0, 8, 8)*at least one image*");
        using var broken = tensor(new[] { 0f, float.NaN, 1, float.PositiveInfinity }).reshape(1, 2, 2);
        FluentActions.Invoking(() => new ImageGrid(broken, new() { Range = (0, 1) })).Should().Throw<ArgumentException>()
            .WithMessage("*2 of 4*NaN at flat index 1*");
    }

    [Fact]
    public void A_floating_batch_without_a_range_is_refused()
    {
        using var images = rand(1, 2, 2);
        FluentActions.Invoking(() => new ImageGrid(images)).Should().Throw<ArgumentException>().WithMessage("*Set Range*or Levels*");
    }

    public static TheoryData<ImageGridOptions, string> WrongOptions => new()
    {
        { new() { Columns = 0 }, "*Columns is 0*" },
        { new() { Scale = 0 }, "*Scale is 0*" },
        { new() { Padding = -1 }, "*Padding is -1*" },
        { new() { Levels = 1 }, "*Levels is 1*" },
        { new() { Range = (1, 1) }, "*Range is (1, 1)*" },
        { new() { Range = (0, double.NaN) }, "*Range is*" },
        { new() { Scale = int.MaxValue }, "*smaller Scale*" },
        { new() { Scale = 10_000 }, "*smaller Scale*" },
        { new() { Columns = 2, RowTitles = ["a", "b", "c"] }, "*RowTitles holds 3*fill 2 rows*" },
        { new() { Columns = 2, ColumnTitles = ["a"] }, "*ColumnTitles holds 1*fill 2 columns*" },
    };

    [Theory]
    [MemberData(nameof(WrongOptions))]
    public void An_option_outside_its_range_is_refused(ImageGridOptions options, string message)
    {
        using var images = zeros(4, 8, 8, dtype: uint8);
        FluentActions.Invoking(() => new ImageGrid(images, options)).Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Fact]
    public void Save_writes_the_bytes_and_makes_the_folder()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            using var images = zeros(1, 2, 2, dtype: uint8);
            var grid = new ImageGrid(images);
            var path = Path.Combine(folder.FullName, "new", "grid.png");
            grid.Save(path);
            File.ReadAllBytes(path).Should().Equal(grid.ToPng());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_picture_leaves_no_tensor_behind()
    {
        using var images = rand(4, 1, 8, 8);
        using var points = randn(50, 2);
        using var density = zeros(4, 4);
        using var scores = randn(10);
        LiveTensors.ChangeOver(() => new ImageGrid(images, new() { Range = (0, 1) }).ToPng()).Should().Be(0);
        LiveTensors.ChangeOver(() => new DensityPanels(points, density, points).ToPng()).Should().Be(0);
        LiveTensors.ChangeOver(() => new DensityPanels(points, p => p.sum(1), options: new() { Resolution = 10 }).ToPng()).Should().Be(0);
        LiveTensors.ChangeOver(() => new ScoreHistogram(scores, scores).ToPng()).Should().Be(0);
    }
}
