namespace RealNvp.Samples.Common;

/// <summary>What a reader of CSV files is told about a file. What is null is found
/// out, or the file is refused with the question that it leaves open.</summary>
/// <param name="Separator">Comma, semicolon or tab.</param>
/// <param name="Header">True if the first line holds the names of the columns, false if it is a row.</param>
/// <param name="DecimalMark">The decimal mark of numbers: a point or a comma.</param>
public sealed record CsvOptions(char? Separator = null, bool? Header = null, char? DecimalMark = null)
{
    internal void Validate()
    {
        if (Separator is not (null or ',' or ';' or '\t'))
            throw new ArgumentException($"The separator is '{Separator}'; expected a comma, a semicolon or a tab.", nameof(Separator));
        if (DecimalMark is not (null or '.' or ','))
            throw new ArgumentException($"The decimal mark is '{DecimalMark}'; expected a point or a comma.", nameof(DecimalMark));
    }
}
