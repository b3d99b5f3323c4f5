using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A layer that may be a step of a chain that runs as one: neighbours that are such layers are one operation and one node of
/// autograd, so that small models train several times faster.</summary>
/// <remarks>
/// <para>Nothing needs it, and it changes no result but by rounding. Neighbours are layers next to each other in a
/// <see cref="Composite"/>, in the same direction and for the same part. Whenever somebody looks at each layer, as the search for a
/// layer at fault or a reversible training does, on other devices and in other dtypes, each layer runs alone.</para>
/// <para>A class that others may derive from asks in <see cref="StepFor"/> whether its own <c>ForwardCore</c> is still the one that
/// counts, or seals it.</para>
/// </remarks>
public interface IJoinsChain
{
    /// <summary>The layer as a step, for one call; null if it is better run alone, as with hooks or dropout. Draw nothing and change
    /// nothing here: the layer may be asked, and run alone.</summary>
    /// <param name="input">Such as the layer gets: a matrix (N, D) or images (N, C, H, W), N of at least 1, float32 on the CPU. Ask it for
    /// its shape, which is that of all steps, and for nothing else: its numbers may be others, and whether it wants a gradient says nothing
    /// of what the step gets, which weights of other layers may have made.</param>
    /// <param name="pass">The context, and where random numbers come from.</param>
    /// <param name="inverse">The direction.</param>
    ChainStep? StepFor(Tensor input, Pass pass, bool inverse);
}
