namespace RealNvp;

/// <summary>An importer whose flows are described by itself and by the names and shapes of a state dict.</summary>
internal interface IImportsParts
{
    /// <summary>The library, as messages call it.</summary>
    string Library { get; }

    /// <summary>Throws <see cref="ArgumentException"/> for a member that is out of range.</summary>
    void CheckMembers();

    /// <summary>Makes the parts of a flow, which have the dtype of the weights. Runs in a dispose scope and without gradients.</summary>
    FlowParts Parts(ImportedWeights weights);
}
