using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>A rectangle in the plane: the part that a picture of a 2-D density shows.</summary>
/// <param name="XMin">The left end.</param>
/// <param name="XMax">The right end, above <paramref name="XMin"/>.</param>
/// <param name="YMin">The lower end.</param>
/// <param name="YMax">The upper end, above <paramref name="YMin"/>.</param>
public readonly record struct PlotBox(double XMin, double XMax, double YMin, double YMax)
{
    /// <summary>The square from <c>-halfSide</c> to <c>halfSide</c> in both directions.</summary>
    /// <param name="halfSide">Above 0.</param>
    public static PlotBox Square(double halfSide) => new(-halfSide, halfSide, -halfSide, halfSide);

    /// <summary>The centres of <paramref name="rows"/> x <paramref name="columns"/> equal cells, as points (x, y).</summary>
    /// <param name="rows">The number of cells from bottom to top, at least 1.</param>
    /// <param name="columns">The number of cells from left to right, at least 1.</param>
    /// <returns>
    /// A new tensor (rows * columns, 2), float32, on the CPU, that the caller disposes. The lowest row comes first, and each
    /// row runs from left to right, so <c>density.reshape(rows, columns)</c> of their densities is what
    /// <see cref="DensityPanels"/> takes.
    /// </returns>
    /// <exception cref="ArgumentException">The box has no area, or a count is below 1.</exception>
    public Tensor CellCentres(int rows, int columns)
    {
        Validate(nameof(PlotBox));
        if (rows < 1 || columns < 1) throw new ArgumentException($"The grid has {rows} x {columns} cells; expected at least 1 x 1.");
        var (height, width) = (YMax - YMin, XMax - XMin);
        var points = new float[2 * (long)rows * columns];
        long k = 0;
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++)
            {
                points[k++] = (float)(XMin + width * (c + 0.5) / columns);
                points[k++] = (float)(YMin + height * (r + 0.5) / rows);
            }
        return tensor(points, (long)rows * columns, 2);
    }

    /// <summary>Straight lines across the box, upright ones first, then level ones: a grid to send through a flow.</summary>
    /// <param name="lines">The number of lines in each direction, at least 2; the outer ones lie on the edge of the box.</param>
    /// <param name="points">The number of points on each line, at least 2. Many points make a warped line smooth.</param>
    /// <returns>
    /// A new tensor (2 * lines, points, 2), float32, on the CPU, that the caller disposes. Warp it with
    /// <c>flow.Decode(grid.reshape(-1, 2)).reshape(grid.shape)</c>.
    /// </returns>
    /// <exception cref="ArgumentException">The box has no area, or a count is below 2.</exception>
    public Tensor GridLines(int lines = 17, int points = 200)
    {
        Validate(nameof(PlotBox));
        if (lines < 2 || points < 2)
            throw new ArgumentException($"The grid has {lines} lines of {points} points; expected at least 2 of both.");
        var grid = new float[2 * (long)lines * points * 2];
        long k = 0;
        for (var upright = 1; upright >= 0; upright--)
            for (var line = 0; line < lines; line++)
                for (var point = 0; point < points; point++)
                {
                    var (across, along) = (line / (lines - 1.0), point / (points - 1.0));
                    grid[k++] = (float)(XMin + (XMax - XMin) * (upright == 1 ? across : along));
                    grid[k++] = (float)(YMin + (YMax - YMin) * (upright == 1 ? along : across));
                }
        return tensor(grid, 2L * lines, points, 2);
    }

    /// <summary>The ends, such as "x -4 to 4, y 0 to 1", alike in every culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"x {XMin} to {XMax}, y {YMin} to {YMax}");

    internal void Validate(string name)
    {
        if (!(double.IsFinite(XMax - XMin) && double.IsFinite(YMax - YMin) && XMin < XMax && YMin < YMax))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{name} is x {XMin} to {XMax}, y {YMin} to {YMax}; expected finite ends, the lower one first."),
                name);
    }
}
