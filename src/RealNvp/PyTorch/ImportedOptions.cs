using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What describes an <see cref="ImportedModel"/>: the importer that made it, and the state dict without its weights: names,
/// shapes, masks and orders. An importer makes it; it is not meant to be written by hand.</summary>
/// <remarks>A model is built from it as from the state dict itself, by the same importer, and so is what it was. Members of
/// <see cref="ModelOptions"/> but for the shape and the size of the context mean nothing here: the base density is that of the state
/// dict.</remarks>
public sealed record ImportedOptions : ModelOptions
{
    /// <summary>The importer, with what a state dict does not tell.</summary>
    public required PyTorchImporter<ImportedModel> Importer { get; init; }

    /// <summary>A line for each tensor of the state dict that the flow is made of: shape, values, name. Values are <c>*</c> for weights,
    /// which a file holds by the names of this library, or those of a mask or an order.</summary>
    public required IReadOnlyList<string> Tensors { get; init => field = Listed<string>.Of(value)!; }

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        RequireVector();
        Require(Importer is IImportsParts, nameof(Importer), Importer, "must be an importer of nflows, zuko or normflows");
        Importer.CheckMembers();
        Require(Tensors is { Count: > 0 }, nameof(Tensors), "none", "must be those of a state dict");
        Require(Base == BaseDensityKind.StandardNormal && Levels == 0 && InputLimit is null && TailThreshold is null
            && !StandardizeContext, nameof(Base), Base, "and other members of ModelOptions must be left as they are: the state dict says " +
            "what the base density is");
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var weights = new ImportedWeights(StateDictSkeleton.Read(Tensors), "The state dict of the options", Importer.Library,
            dtype: get_default_dtype());
        try
        {
            var parts = ((IImportsParts)Importer).Parts(weights);
            Require(parts.Bijection.InputShape!.Value == Shape, nameof(Shape), Shape,
                $"must be that of the state dict, {parts.Bijection.InputShape}");
            Require(parts.Bijection.ContextSize == ContextSize, nameof(ContextSize), ContextSize,
                $"must be that of the state dict, {parts.Bijection.ContextSize}");
            return parts;
        }
        catch
        {
            weights.Abandon();
            throw;
        }
    }
}
