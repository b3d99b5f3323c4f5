namespace RealNvp;

/// <summary>An importer whose flows are described by itself and by the names and shapes of a state dict.</summary>
internal interface IImportsParts
{
    /// <summary>Makes the parts of a flow, which have the dtype of the weights. Runs in a dispose scope and without gradients.</summary>
    FlowParts Parts(ImportedWeights weights);
}
