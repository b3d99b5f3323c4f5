namespace RealNvp;

/// <summary>A network that says what it takes and gives, so that a layer can refuse one of the wrong size when it is built.</summary>
/// <remarks>
/// Every <see cref="Conditioner"/> is one, and any module may be one. A network that does not say
/// it is tried by its layer on two examples of zeros, in evaluation mode and without gradients.
/// </remarks>
public interface INetworkShapes : IDescribed
{
    /// <summary>The shape of one input, such as [I] or [I, -1, -1], where -1 is any size; null if the network does not say.</summary>
    EventShape? InputShape { get; }

    /// <summary>The shape of one output, such as [O] or [O, -1, -1], where -1 is any size; null if the network does not say.</summary>
    EventShape? OutputShape { get; }

    /// <summary>The inputs, by channel or feature, that the network sees as positions
    /// on circles: it gives the same at both edges, and has no jump there.</summary>
    IReadOnlyList<Circle> CircularInputs => [];

    (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given) => (InputShape, OutputShape);
}
