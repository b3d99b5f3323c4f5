namespace RealNvp;

/// <summary>What the cells of a column are, as the caller gave them and gets them back.</summary>
public enum TableCellKind
{
    /// <summary>Numbers, <c>double</c>.</summary>
    Number,

    /// <summary>Texts, <c>string</c>.</summary>
    Text,

    /// <summary>Yes or no, <c>bool</c>.</summary>
    Boolean,
}
