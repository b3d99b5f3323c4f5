using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// Who wants to hear, while a backward pass runs, which layers have their gradients already. Layers are parted into stretches as they run
/// forward; the gradients of a stretch are complete when the backward pass has come to where it began.
/// </summary>
/// <remarks>
/// <para>TorchSharp has no hook on a gradient. But autograd takes the nodes of a thread in the opposite order of their making, and adds up
/// a weight's gradient as soon as it is there. So when it comes to a node that was put in front of a layer, whatever was made after that
/// node is done.</para>
/// <para>A weight belongs to the stretch of the first layer that has it. One that is used before that layer too, by whom nobody sees, gets
/// more later: the listener must look for it.</para>
/// </remarks>
internal abstract class BackwardWatch
{
    /// <summary>Whether the stretch has enough weights, and a layer that is to run would bring more, so that it should begin another
    /// one.</summary>
    public abstract bool ShouldBegin(nn.Module layer);

    /// <summary>Begins a stretch, and gives its number, from 1; what runs before the first one is stretch 0.</summary>
    public abstract int Begin();

    /// <summary>Says that a layer runs in this stretch.</summary>
    public abstract void Note(nn.Module layer);

    /// <summary>How many of some layers make the stretch full, at least one, or all of them.</summary>
    /// <param name="layers">The layers in the order in which they are applied.</param>
    /// <param name="from">The first.</param>
    public abstract int CountUntilFull(IReadOnlyList<nn.Module> layers, int from);

    /// <summary>Says that the backward pass has come to the beginning of a stretch. On the thread that runs that pass.</summary>
    public abstract void Reached(int stretch);
}
