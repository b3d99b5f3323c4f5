using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A layer, network, density or any other module that says itself what is printed of it: its words, its shapes, and what stands
/// below it.</summary>
/// <remarks>
/// Nothing needs it: bijections, densities, encoders, transformers, conditioners and flows are described by their base classes, and what
/// is printed of any other module is its class, the numbers, names and switches among its public properties, and the number of its
/// parameters. A class that implements it says what it wants to say otherwise; for all else the base class, or these defaults, go on
/// to speak. What throws is left out.
/// </remarks>
public interface IDescribed
{
    /// <summary>A few words on one line in place of the properties, such as <c>keeps 2 of 5, 8 bins</c>; empty for none, null for the
    /// properties.</summary>
    string? Description => null;

    /// <summary>The number of context features C; 0 for a module without context.</summary>
    long ContextSize => 0;

    /// <summary>Whether parts have lines of their own, as those of a layer; false for a network, which is one line.</summary>
    bool ShowsParts => false;

    /// <summary>The shapes of one example that goes in and of one that comes out; null if that is not known.</summary>
    /// <param name="given">The shape of what reaches the module, if that is known from outside.</param>
    (EventShape? Input, EventShape? Output) ShapesFor(EventShape? given) => (null, null);

    /// <summary>The shapes of what reaches the parts, as far as it is known; by itself of none.</summary>
    /// <param name="given">The shape of what reaches the module, if that is known from outside.</param>
    IEnumerable<(nn.Module Part, EventShape Input)> PartShapesFor(EventShape? given) => [];
}
