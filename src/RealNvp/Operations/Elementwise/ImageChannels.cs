namespace RealNvp.Operations;

/// <summary>Some channels of images that lie in memory as (N, C, H, W).</summary>
/// <param name="N">The number of images.</param>
/// <param name="C">Their channels.</param>
/// <param name="Plane">H·W.</param>
/// <param name="First">The first of the channels that are meant.</param>
/// <param name="Count">How many they are.</param>
internal readonly record struct ImageChannels(long N, long C, long Plane, long First, long Count)
{
    /// <summary>From the beginning of an image to these channels.</summary>
    public nint At => checked((nint)(First * Plane));

    /// <summary>How the images lie.</summary>
    public ElementLayout Layout => new(C * Plane, Plane, 1);

    /// <summary>How so many numbers for each element of these channels lie, channels last.</summary>
    /// <param name="each">The numbers.</param>
    public ElementLayout Last(int each) => new(Count * each * Plane, 1, Count * each);
}
