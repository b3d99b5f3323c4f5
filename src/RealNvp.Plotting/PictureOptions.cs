namespace RealNvp.Plotting;

/// <summary>What the options of all pictures have.</summary>
/// <remarks>Options are values: equal if all of their members are, lists included, which are copied. Their text is the same in every
/// culture.</remarks>
public abstract record PictureOptions
{
    private protected PictureOptions() { }

    /// <summary>A title above the picture, or null. A long one is made smaller, and cut if that does not do.</summary>
    public string? Title { get; init; }

    /// <summary>The name of the record and its members with their values.</summary>
    public sealed override string ToString() => Describing.RecordText.Of(GetType().Name, PrintMembers);
}
