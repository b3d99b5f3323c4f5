namespace RealNvp;

/// <summary>How <see cref="Objective.FlowMatching"/> makes paths from latents to data.</summary>
public sealed record FlowMatchingOptions
{
    /// <summary>The form of the paths.</summary>
    public FlowMatchingPath Path { get; init; }

    /// <summary>σ, the spread about the path, or at its end: see <see cref="FlowMatchingPath"/>.
    /// On a sphere in radians. Finite and not negative; below 1 for a shrinking path. 0 by default.</summary>
    public double Sigma { get; init; }

    /// <summary>
    /// Which latent of a batch goes to which example. Null, the default, takes optimal transport among each 1,024 examples if
    /// batches have neither contexts nor weights, and independent pairs otherwise: pairs that look at
    /// the data would make the latents of a context, or those of heavy examples, other ones than the base density draws.
    /// </summary>
    public FlowMatchingPairing? Pairing { get; init; }

    /// <summary>
    /// Of <see cref="FlowMatchingPairing.Sinkhorn"/>, the strength of the entropy in parts of the mean squared
    /// distance of a batch; positive. The smaller, the nearer to optimal transport. 0.05 by default.
    /// </summary>
    public double Regularization { get; init; } = 0.05;

    /// <summary>Throws if a value is out of its range.</summary>
    internal void Validate()
    {
        if (!Enum.IsDefined(Path))
            throw new ArgumentOutOfRangeException(nameof(Path), Path, $"There is no such {nameof(FlowMatchingPath)}.");
        if (Pairing is { } pairing && !Enum.IsDefined(pairing))
            throw new ArgumentOutOfRangeException(nameof(Pairing), pairing, $"There is no such {nameof(FlowMatchingPairing)}.");
        if (!(Sigma >= 0 && double.IsFinite(Sigma)))
            throw new ArgumentOutOfRangeException(nameof(Sigma), Sigma, "The spread must be finite and not negative.");
        if (Path == FlowMatchingPath.Shrinking && Sigma >= 1)
            throw new ArgumentOutOfRangeException(nameof(Sigma), Sigma,
                "The spread at the end of a shrinking path must be below 1, which is that at its start.");
        if (!(Regularization > 0 && double.IsFinite(Regularization)))
            throw new ArgumentOutOfRangeException(nameof(Regularization), Regularization,
                "The regularization must be positive and finite.");
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(FlowMatchingOptions), PrintMembers);
}
