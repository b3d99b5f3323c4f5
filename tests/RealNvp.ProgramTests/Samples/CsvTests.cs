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
    [InlineData("a,a\n1,2\n", "*'a' twice*")]
    [InlineData("a,b\n1,2\n3\n4\n", "*line 3 has 1 fields; line 4 has 1 fields; expected 2*a comma*")]
    [InlineData("a,b\n1,2\n3,4,5\n", "*line 3 has 3 fields*")]
    [InlineData("a,b\n1,5,2,5\n3,5,1,5\n", "*line 2 has 4 fields*decimal commas*")]
    [InlineData("a,b\n1,2\n3,\n", "*line 3, column 'b': the value is missing*")]
    [InlineData("a,b\n1,?\n3,4\n", "*line 2, column 'b': the value is missing ('?')*")]
    [InlineData("a,b\n1,NA\n,4\nx,1\n",
        "*line 2, column 'b': the value is missing ('NA'); line 3, column 'a': the value is missing; line 4, column 'a': 'x' is no " +
        "finite number*Remove*")]
    [InlineData("a,b\nParis,1\nRome,2\n", "*column 'a' holds words, such as 'Paris'*")]
    [InlineData("a,b\n1,1e999\n2,3\n", "*column 'b': '1e999'*")]
    [InlineData("a,b\n1,2\n\n3,4\n", "*line 3 is empty*")]
    [InlineData("a,b\n1,\"2\n", "*line 2*no closing quote*")]
    [InlineData("a,b\n\"1\"x,2\n", "*'x' follows a closing quote*")]
    [InlineData("a,b\n1,2\n\03,4\n", "*line 3*zero byte*UTF-8*")]
    [InlineData("a;b\n1,5;2\n3.5;4\n", "*comma (line 2, column 'a': '1,5')*point (line 3, column 'a')*decimal mark*")]
    [InlineData("a;b\n1,234;2\n12,500;4\n", "*'1,234' may have a decimal comma or a mark of thousands*")]
    [InlineData("5.1,3.5,setosa\n4.9,3.0,setosa\n", "*first line looks like the second*")]
    [InlineData("name,2019,2020\nx,1,2\n", "*first line looks like the second*header: yes or no*")]
    public void A_wrong_table_is_refused_and_says_where(string text, string message)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.csv", text);
        FluentActions.Invoking(() => Csv.Read(path)).Should().Throw<DataFormatException>().WithMessage(message);
    }

    [Theory]
    [InlineData("a;b\n1;2,5\n-3e2;4\n", "*decimal comma*")]
    [InlineData("a\tb\n1\t2,5\n-300,0\t4\n", "*decimal comma*")]
    [InlineData("a,b\n\"1,0\",\"2,5\"\n-300,4\n", "*decimal comma*")]
    [InlineData("\"a\", \"b\"\n1, \"2.5\"\n\"-300\" ,4\n", null)]
    [InlineData("sep=;\r\na;b\r\n1;2.5\r\n-300;4", null)]
    [InlineData("a,b\r1,2.5\r-300,4\r", null)]
    [InlineData("a,b,\n1,2.5,\n-300,4,\n", "*Column 3 has neither a name nor a value*")]
    [InlineData(",a,b\n0,1,2.5\n1,-300,4\n2,0,0\n", "*Column 1 has no name and counts the rows*")]
    public void What_spreadsheets_and_other_programs_write_is_read(string text, string? note)
    {
        using var folder = new TemporaryFolder();
        var file = Csv.Open(folder.Write("t.csv", text));
        using var table = file.ToTable();
        table.Columns.Should().Equal("a", "b");
        table.Values.data<double>().ToArray().Take(4).Should().Equal(1, 2.5, -300, 4);
        if (note is null) file.Notes.Should().BeEmpty();
        else file.Notes.Should().ContainSingle().Which.Should().Match(note);
    }

    [Fact]
    public void A_line_end_within_quotes_belongs_to_the_field_and_lines_are_counted_on()
    {
        using var folder = new TemporaryFolder();
        var file = Csv.Open(folder.Write("t.csv", "\"size\nin mm\",b,c\r\n1,2,\"x\r\ny\"\r\n3,4,z\r\n"));
        file.Columns.Select(c => c.Name).Should().Equal("size\nin mm", "b", "c");
        file.Column("c").Text(0).Should().Be("x\r\ny");
        file.Lines.Should().Equal(3, 5);
    }

    [Fact]
    public void A_table_without_header_loses_no_row()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.csv", "1,2\n3,4\n");
        var file = Csv.Open(path);
        using var table = file.ToTable();
        table.Columns.Should().Equal("column1", "column2");
        table.Values.data<double>().ToArray().Should().Equal(1, 2, 3, 4);
        (file.HasHeader, file.Lines[0]).Should().Be((false, 1));
        file.Notes.Should().ContainMatch("*first line holds numbers*");
        using var one = Csv.Open(folder.Write("one.csv", "1,2\n")).ToTable();
        one.Values.shape.Should().Equal(1, 2);
        using var years = Csv.Open(path, new(Header: true)).ToTable();
        years.Columns.Should().Equal("1", "2");
        var words = Csv.Open(folder.Write("iris.csv", "5.1,a\n4.9,b\n"), new(Header: false));
        words.Column("column2").Text(1).Should().Be("b");
    }

    [Fact]
    public void The_decimal_mark_can_be_given()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.csv", "a;b\n1,234;2\n12,500;4\n");
        using var table = Csv.Open(path, new(DecimalMark: ',')).ToTable();
        table.Values.data<double>().ToArray().Should().Equal(1.234, 2, 12.5, 4);
        FluentActions.Invoking(() => Csv.Open(path, new(DecimalMark: '.')).ToTable()).Should().Throw<DataFormatException>()
            .WithMessage("*'1,234' is no finite number with a decimal point*");
        FluentActions.Invoking(() => Csv.Open(folder.Write("u.csv", "a;b\n1,5;2.5\n"), new(DecimalMark: ','))).Should()
            .Throw<DataFormatException>().WithMessage("*line 2, column 'b'*decimal point*");
    }

    [Fact]
    public void The_computers_language_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("t.csv", "a,b\n1.5,2\n");
        var culture = System.Globalization.CultureInfo.CurrentCulture;
        try
        {
            System.Globalization.CultureInfo.CurrentCulture = (System.Globalization.CultureInfo)culture.Clone();
            System.Globalization.CultureInfo.CurrentCulture.NumberFormat.NumberDecimalSeparator = ",";
            System.Globalization.CultureInfo.CurrentCulture.NumberFormat.NumberGroupSeparator = ".";
            using var table = Csv.Read(path);
            table.Values.data<double>().ToArray().Should().Equal(1.5, 2);
        }
        finally { System.Globalization.CultureInfo.CurrentCulture = culture; }
    }

    [Fact]
    public void What_is_no_text_is_refused_with_a_cure()
    {
        using var folder = new TemporaryFolder();
        string Message(string name, byte[] bytes)
        {
            File.WriteAllBytes(folder.At(name), bytes);
            return FluentActions.Invoking(() => Csv.Read(folder.At(name))).Should().Throw<DataFormatException>().Which.Message;
        }
        Message("a.csv", [.. "PK"u8, 3, 4]).Should().Contain("Excel");
        Message("b.csv", [0x1F, 0x8B, 8]).Should().Contain("Unpack");
        Message("c.csv", [.. "Gr"u8, 0xF6, .. "sse,b\n1,2\n"u8]).Should().Contain("UTF-8");
        File.WriteAllText(folder.At("d.csv"), "a,b\n1,2\n", System.Text.Encoding.Unicode);
        using var table = Csv.Read(folder.At("d.csv"));
        table.Columns.Should().Equal("a", "b");
        FluentActions.Invoking(() => Csv.Read(folder.Path)).Should().Throw<FileNotFoundException>().WithMessage("*is a folder*");
    }

    [Fact]
    public void Many_faults_are_told_together()
    {
        using var folder = new TemporaryFolder();
        var rows = Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? $"{i},,1" : $"{i},2,x{i}");
        var message = FluentActions.Invoking(() => Csv.Read(folder.Write("t.csv", "n,b,c\n" + string.Join('\n', rows)))).Should()
            .Throw<DataFormatException>().Which.Message;
        message.Should().Contain("line 2, column 'b': the value is missing").And.Contain("line 3, column 'c': 'x1'").And.Contain(
            "and 30 more; in all 20 in 'b', 20 in 'c'");
        message.Length.Should().BeLessThan(1000);
    }

    [Fact]
    public void Quoted_fields_numbers_and_words_come_back_as_they_were_written()
    {
        var random = new Random(5);
        using var folder = new TemporaryFolder();
        for (var round = 0; round < 40; round++)
        {
            var (columns, separator) = (random.Next(2, 5), ",;\t"[random.Next(3)]);
            var rows = Enumerable.Range(0, random.Next(2, 8)).Select(_ => Enumerable.Range(0, columns).Select(_ => Field(random)).ToArray())
                .ToArray();
            var header = Enumerable.Range(0, columns).Select(i => $"name{i}").ToArray();
            var end = random.Next(2) == 0 ? "\n" : "\r\n";
            var text = string.Join(end, rows.Prepend(header)
                .Select(r => string.Join(separator, r.Select(f => $"\"{f.Replace("\"", "\"\"", StringComparison.Ordinal)}\"")))) + end;
            var file = Csv.Open(folder.Write("t.csv", text), new(separator, true, '.'));
            for (var r = 0; r < rows.Length; r++)
                for (var c = 0; c < columns; c++) file.Columns[c].Text(r).Should().Be(rows[r][c]);
        }
        static string Field(Random random) => random.Next(3) == 0
            ? (random.NextDouble() * 1000 - 500).ToString("R", System.Globalization.CultureInfo.InvariantCulture)
            : "w" + new string([.. Enumerable.Range(0, random.Next(6)).Select(_ => "ab,;\t\"\n' "[random.Next(9)])]);
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
        FluentActions.Invoking(() => table.Column("Malignant")).Should().Throw<ArgumentException>()
            .WithMessage("*no column 'Malignant'*malignant*");
    }

    [Fact]
    public void Another_separator_is_refused()
    {
        FluentActions.Invoking(() => Csv.Read("t.csv", '|')).Should().Throw<ArgumentException>().WithMessage("*'|'*");
        FluentActions.Invoking(() => Csv.Read("no-such.csv")).Should().Throw<FileNotFoundException>();
    }
}
