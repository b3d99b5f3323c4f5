namespace RealNvp;

/// <summary>The shapes of layers that turn each 2×2 block of pixels into four channels.</summary>
internal static class BlockShapes
{
    public static EventShape Checked(EventShape shape)
    {
        if (shape.Count != 3) throw new ArgumentException($"A squeeze takes images of shape (C, H, W); got {shape}.", nameof(shape));
        if ((shape[1] != -1 && shape[1] % 2 != 0) || (shape[2] != -1 && shape[2] % 2 != 0))
            throw new ArgumentException($"A squeeze needs an even height and width; got {shape[1]}×{shape[2]}. Pad or crop the images, or use fewer scales.", nameof(shape));
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
            throw new ArgumentException($"{layer} needs an even height and width; got an image of {size[2]}×{size[3]}. Pad or crop it.", parameter);
    }

    private static long Times(long size, long factor) => size == -1 ? -1 : size * factor;

    private static long Half(long size) => size == -1 ? -1 : size / 2;
}
