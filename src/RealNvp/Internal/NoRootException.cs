namespace RealNvp.Internal;

/// <summary>An iterative inverse found no root. A flow says which layer it was, by a <see cref="NonFiniteException"/>.</summary>
internal sealed class NoRootException(string message) : InvalidOperationException(message)
{
    /// <summary>The innermost layer that ran.</summary>
    public Bijection? Layer { get; private set; }

    /// <summary>For an exception filter: notes the layer, and catches nothing.</summary>
    public bool Passes(Bijection layer)
    {
        Layer ??= layer;
        return false;
    }
}
