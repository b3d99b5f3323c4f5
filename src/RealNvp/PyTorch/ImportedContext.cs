namespace RealNvp;

/// <summary>How residual blocks of other libraries take a context, by a linear layer V of it.</summary>
internal enum ImportedContext
{
    /// <summary>h ← h + B a(A a(h)) ⊙ σ(V c).</summary>
    Gate,

    /// <summary>h ← h + B a(A a(h) + V c).</summary>
    Inside,
}
