namespace RealNvp;

/// <summary>The size of images, which weights of convolutions do not tell.</summary>
internal static class ImageSizes
{
    // more pixels than any flow here was trained on: a mask has as many elements
    private const long MostPixels = 1 << 24;

    /// <summary>Throws for a size that is none.</summary>
    public static void Check((int Height, int Width) size, string parameter)
    {
        if (size.Height < 1 || size.Width < 1 || (long)size.Height * size.Width > MostPixels)
            throw new ArgumentException(
                $"{parameter} must be the height and width of the images; got ({size.Height}, {size.Width}).", parameter);
    }
}
