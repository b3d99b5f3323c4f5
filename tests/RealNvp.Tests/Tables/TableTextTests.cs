using System.Text;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Tables;

/// <summary>Tables as text.</summary>
public class TableTextTests
{
    [Fact]
    public void A_table_goes_through_a_text_file()
    {
        var table = MixedTables.WithHoles(MixedTables.Shop(50), 0.1).With("odd", Enumerable.Repeat("a \"b\", c\nNA", 49).Append("NA")
            .ToArray());
        using var writer = new StringWriter();
        table.WriteCsv(writer);
        var again = Table.ReadCsv(new StringReader(writer.ToString()));
        again.Names.Should().Equal(table.Names);
        foreach (var name in table.Names)
        {
            again[name].Kind.Should().Be(table[name].Kind);
            again[name].ToTexts().Should().Equal(table[name].ToTexts());
        }
        Table.ReadCsv(new StringReader("a;b\n1;x\n;y"))["a"].ToNumbers().Should().Equal(1, double.NaN);
        FluentActions.Invoking(() => Table.ReadCsv(new StringReader("a,b\n1,2\n3"))).Should().Throw<InvalidDataException>()
            .WithMessage("Line 3 has 1 value(s); the first line names 2 columns.");
    }

    [Theory]
    [InlineData(" before")]
    [InlineData("behind ")]
    [InlineData("\t")]
    [InlineData("NA")]
    [InlineData("")]
    [InlineData("a\r\nb;\"c\"")]
    public void Any_text_comes_back(string text)
    {
        var table = Table.FromColumns(("a", new[] { text, "x", null }), ("b", new[] { 1, 2, 3 }));
        foreach (var separator in new[] { ',', ';', '\t' })
        {
            using var writer = new StringWriter();
            table.WriteCsv(writer, separator);
            Table.ReadCsv(new StringReader(writer.ToString()), separator)["a"].ToTexts().Should().Equal(text, "x", null);
        }
    }

    [Fact]
    public void Blanks_around_quotes_are_none_of_a_value()
    {
        var table = Table.ReadCsv(new StringReader("a, b ,c\r\n1, \"q, r\" , x y \r\n"));
        table.Names.Should().Equal("a", "b", "c");
        (table["b"][0], table["c"][0]).Should().Be(("q, r", "x y"));
    }

    [Fact]
    public void Numbers_may_have_a_decimal_comma()
    {
        const string text = "a;b\n1,5;x\n-2,25e1;y\n;z\n";
        Table.ReadCsv(new StringReader(text), decimalPoint: ',')["a"].ToNumbers().Should().Equal(1.5, -22.5, double.NaN);
        Table.ReadCsv(new StringReader(text))["a"].Kind.Should().Be(TableCellKind.Text);
        var many = "a;b\n" + string.Concat(Enumerable.Range(0, 30).Select(i => $"{i},5;{i % 3}\n"));
        TableSchema.Propose(Table.ReadCsv(new StringReader(many))).Notes.Should().Contain(n => n.Contains("decimalPoint: ','"));
        foreach (var (separator, point) in new (char?, char)[] { (',', ','), ('"', '.'), ('\n', '.'), (null, ';') })
            FluentActions.Invoking(() => Table.ReadCsv(new StringReader(text), separator, point)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void A_file_that_is_no_table_says_why()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("a.csv");
        foreach (var (bytes, word) in new (byte[], string)[]
        {
            (Encoding.Latin1.GetBytes("a,b\nMüller,1\n"), "*not UTF-8*Latin1*"), (Encoding.UTF8.GetBytes("a,a\n1,2\n"), "*1 and 2*'a'*"),
            (Encoding.UTF8.GetBytes("a,,b\n1,2,3\n"), "*column 2 has no name*"), ([], "*empty*"),
            (Encoding.UTF8.GetBytes("a,b\n\"x,1\n"), "*quote is not closed*"),
        })
        {
            File.WriteAllBytes(path, bytes);
            FluentActions.Invoking(() => Table.ReadCsv(path)).Should().Throw<InvalidDataException>().WithMessage(word);
        }
        File.WriteAllText(path, "a,b\r\n1,é\r\n", Encoding.Unicode);
        Table.ReadCsv(path)["b"][0].Should().Be("é", "a byte order mark tells");
    }
}
