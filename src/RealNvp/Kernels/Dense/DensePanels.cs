namespace RealNvp.Kernels;

/// <summary>How the columns of a right side are cut into panels: as many columns as a tile has, and at the end whole vectors.</summary>
internal readonly struct DensePanels
{
    private readonly int lanes;

    private DensePanels(int lanes, int vectors) => (this.lanes, Full) = (lanes, lanes * vectors);

    /// <summary>The columns of a panel, but for the last one.</summary>
    public int Full { get; }

    /// <summary>The panels for vectors of so many numbers.</summary>
    /// <param name="lanes">The numbers of a vector.</param>
    /// <param name="isMasked">Whether steps are left out that a whole panel does not see: more of them are, if it is narrow.</param>
    public static unsafe DensePanels Of<T>(int lanes, bool isMasked = false) where T : unmanaged =>
        new(lanes, lanes * sizeof(T) == 64 && !isMasked ? DenseTile.WideVectors : DenseTile.Vectors);

    /// <summary>The columns of the panel that begins at a column, in whole vectors.</summary>
    public int Width(int column, int columns) => Math.Min(Full, (columns - column + lanes - 1) / lanes * lanes);
}
