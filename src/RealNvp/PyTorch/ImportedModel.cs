namespace RealNvp;

/// <summary>A flow that was made from a state dict of another library: nflows, zuko or normflows. It is a model as others are: it trains,
/// <c>Save</c> writes a file that describes itself, and <see cref="FlowModel.Load(string, TorchSharp.torch.Device)"/> reads it without the
/// file of PyTorch.</summary>
/// <remarks>An importer makes one: <c>new NflowsImporter { TailBound = 3 }.Load("flow.pt").Flow</c>.</remarks>
public sealed class ImportedModel : FlowModel<ImportedModel, ImportedOptions>
{
    internal ImportedModel(ImportedOptions options) : base(options) { }

    private ImportedModel(ImportedOptions options, FlowParts parts) : base(options, parts) { }

    /// <summary>Makes the model of a state dict, with its weights.</summary>
    /// <param name="importer">What is not in the state dict.</param>
    /// <param name="weights">The state dict.</param>
    internal static ImportedModel Of(PyTorchImporter<ImportedModel> importer, ImportedWeights weights)
    {
        var parts = ((IImportsParts)importer).Parts(weights);
        var options = new ImportedOptions
        {
            Shape = parts.Bijection.InputShape!.Value, ContextSize = parts.Bijection.ContextSize,
            // without what it was told of the file
            Importer = importer with { StateDict = null, Prefix = null, Strict = true }, Tensors = weights.Skeleton(),
        };
        options.Validate();
        return new ImportedModel(options, parts);
    }
}
