namespace RealNvp;

/// <summary>The shapes of layers that turn each 2×2 block of pixels into four channels.</summary>
internal static class BlockShapes
{
    public static EventShape Checked(EventShape shape)
    {
        if (shape.Count != 3) throw new ArgumentException($"A squeeze takes images of shape (C, H, W); got {shape}.", nameof(shape));
        if ((shape[1] != -1 && shape[1] % 2 != 0) || (shape[2] != -1 && shape[2] % 2 != 0))
            throw new ArgumentException(
                $"A squeeze needs an even height and width; got {shape[1]}×{shape[2]}. {Fitting(shape[1], shape[2], 2)}, or use fewer " +
                $"scales.", nameof(shape));
        return shape;
    }

    public static EventShape Squeezed(EventShape input)
    {
        Checked(input);
        return [Times(input[0], 4), Half(input[1]), Half(input[2])];
    }

    public static EventShape Unsqueezed(EventShape output)
    {
        if (output.Count != 3 || (output[0] != -1 && output[0] % 4 != 0))
            throw new ArgumentException($"The output of a squeeze has shape (4*C, H/2, W/2); got {output}.", nameof(output));
        return [output[0] == -1 ? -1 : output[0] / 4, Times(output[1], 2), Times(output[2], 2)];
    }

    /// <summary>Checks a batch (N, C, H, W), whose sizes a shape may have left open.</summary>
    public static void CheckBatch(long[] size, string layer, string parameter)
    {
        if (size[2] % 2 != 0 || size[3] % 2 != 0)
            throw new ArgumentException(
                $"{layer} needs an even height and width; got an image of {size[2]}×{size[3]}. {Fitting(size[2], size[3], 2)}.", parameter);
    }

    /// <summary>Says which sizes near <paramref name="height"/> × <paramref name="width"/>
    /// are divisible by <paramref name="unit"/>; an open size is -1.</summary>
    public static string Fitting(long height, long width, long unit)
    {
        string Near(long size, long extra) =>
            size == -1 ? "*" : ((size + extra) / unit * unit).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var pad = $"{Near(height, unit - 1)}×{Near(width, unit - 1)}";
        return (height == -1 || height >= unit) && (width == -1 || width >= unit)
            ? $"Crop the images to {Near(height, 0)}×{Near(width, 0)}, or pad them to {pad}" : $"Pad the images to {pad}";
    }

    private static long Times(long size, long factor) => size == -1 ? -1 : size * factor;

    private static long Half(long size) => size == -1 ? -1 : size / 2;
}
