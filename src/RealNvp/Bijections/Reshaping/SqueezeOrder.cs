namespace RealNvp;

/// <summary>Where a squeeze puts the four pixels of a 2×2 block among the channels.</summary>
public enum SqueezeOrder
{
    /// <summary>Channel 4·c + 2·dy + dx holds pixel (dy, dx) of channel c: the pixels of one channel lie together.</summary>
    Plain,

    /// <summary>
    /// The order of the original code: channel p·C + c holds the pixel p of channel c, with the pixels in the order (0,0), (1,1), (0,1),
    /// (1,0). The first half of the channels is then a checkerboard of the image, so factoring out keeps every second pixel.
    /// </summary>
    Checkerboard,
}
