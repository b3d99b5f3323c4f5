using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>A layer has no inverse for what it got: a search found no root, or a matrix is
/// singular. A flow says which layer it was, by a <see cref="NonFiniteException"/>.</summary>
internal sealed class NoInverseException(string message, Exception? cause = null) : InvalidOperationException(message, cause)
{
    /// <summary>The innermost layer that ran.</summary>
    public nn.Module? Layer { get; private set; }

    /// <summary>Whether what came to that layer was NaN or infinite already, so that another one is at fault.</summary>
    public bool MetNotFinite { get; private set; }

    /// <summary>For an exception filter: notes the layer and what came to it, and catches nothing.</summary>
    public bool Passes(nn.Module layer, Tensor input)
    {
        if (Layer is not null) return false;
        (Layer, MetNotFinite) = (layer, !Numbers.AreFinite(input));
        return false;
    }
}
