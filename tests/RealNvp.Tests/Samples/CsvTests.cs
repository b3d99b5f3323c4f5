using RealNvp.Samples.Common;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Samples;

public class CsvTests
{
    [Theory]
    [InlineData("a,b\n1,2.5\n-3e2,4\n")]
    [InlineData("a;b\r\n1;2.5\r\n-3e2;4")]
    [InlineData("\uFEFFa\tb\n1\t2.5\n-300\t4\n\n\n")]
    [InlineData("\"a\", b \n\"1\", 2.5\n\"-300\",\"4\"\n")]
    public void Every_separator_and_line_end_is_read(string text)
    {
        using var folder = new TemporaryFolder();
        using var table = Csv.Read(folder.Write("t.csv", text));
        table.Columns.Should().Equal("a", "b");
        table.Values.dtype.Should().Be(torch.ScalarType.Float64);
        table.Values.shape.Should().Equal(2, 2);
        table.Values.data<double>().ToArray().Should().Equal(1, 2.5, -300, 4);
    }

    [Fact]
    public void Quoted_names_may_hold_separators_and_quotes()
    {
        using var folder = new TemporaryFolder();
        using var table = Csv.Read(folder.Write("t.csv", "\"size, in \"\"mm\"\"\",b\n1,2\n"));
        table.Columns.Should().Equal("size, in \"mm\"", "b");
    }

    [Theory]
    [InlineData("", "*first line is empty*")]
    [InlineData("a,b\n", "*no row*")]
    [InlineData("1,2\n3,4\n", "*only numbers*names*")]
    [InlineData("a,\n1,2\n", "*column 2*no name*")]
    [InlineData("a,a\n1,2\n", "*'a' twice*")]
    [InlineData("a,b\n1,2\n3\n", "*line 3 has 1 fields; expected 2*a comma*")]
    [InlineData("a,b\n1,2\n3,4,5\n", "*line 3 has 3 fields*")]
    [InlineData("a,b\n1,2\n3,\n", "*line 3, column 'b': the value is missing*")]
    [InlineData("a,b\n1,?\n", "*line 2, column 'b': '?' is no finite number*")]
    [InlineData("a;b\n1;2,5\n", "*line 2, column 'b': '2,5' is no finite number with a decimal point*")]
    [InlineData("a,b\n1,NaN\n", "*column 'b': 'NaN'*")]
    [InlineData("a,b\n1,1e999\n", "*column 'b': '1e999'*")]
    [InlineData("a,b\n1,2\n\n3,4\n", "*line 3 is empty*")]
    [InlineData("a,b\n1,\"2\n", "*line 2*no closing quote*")]
    [InlineData("a,b\n\"1\"x,2\n", "*'x' follows a closing quote*")]
    public void A_wrong_table_is_refused_and_says_where(string text, string message)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.csv", text);
        FluentActions.Invoking(() => Csv.Read(path)).Should().Throw<DataFormatException>().WithMessage(message);
    }

    [Fact]
    public void The_breast_cancer_table_has_30_features_of_very_different_scales_and_a_label()
    {
        using var table = Csv.Read(SampleData.BreastCancer);
        using var label = table.Column("malignant");
        using var features = table.Without("malignant");
        using var means = features.Values.mean([0]);
        label.sum().ToDouble().Should().Be(212);
        features.Values.shape.Should().Equal(569, 30);
        features.Columns.Should().HaveCount(30).And.StartWith("mean_radius").And.EndWith("worst_fractal_dimension");
        (means.max().ToDouble() / means.min().ToDouble()).Should().BeGreaterThan(100_000);
        FluentActions.Invoking(() => table.Column("Malignant")).Should().Throw<ArgumentException>().WithMessage("*no column 'Malignant'*malignant*");
    }

    [Fact]
    public void Another_separator_is_refused()
    {
        FluentActions.Invoking(() => Csv.Read("t.csv", '|')).Should().Throw<ArgumentException>().WithMessage("*'|'*");
        FluentActions.Invoking(() => Csv.Read("no-such.csv")).Should().Throw<FileNotFoundException>();
    }
}
