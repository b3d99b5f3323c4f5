namespace RealNvp;

/// <summary>What a detector found in a column of the rows that it was fitted to.</summary>
public enum ColumnKind
{
    /// <summary>Numbers that hardly ever repeat.</summary>
    Continuous = 0,

    /// <summary>Values that repeat: noise of the size of a step is added to them in
    /// training, since a density of them has no bound otherwise.</summary>
    Repeating = 1,

    /// <summary>One value in all rows. The column is left out of the density; a row with another value has no density at all.</summary>
    Constant = 2,
}
