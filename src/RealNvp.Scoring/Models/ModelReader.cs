using RealNvp.Kernels;
using RealNvp.Scoring.Files;

namespace RealNvp.Scoring.Models;

/// <summary>Reads a file and makes the plan of the model that it describes.</summary>
internal static class ModelReader
{
    private const string Cure = "Export the flow to ONNX with the package RealNvp, or load the file with that package";

    public static FlowScorer Read(SafeTensorsSource source)
    {
        var file = ScorerFile.Read(source, CheckKind);
        var options = new OptionsReader(file.Metadata[StateFile.OptionsKey], file.Name, file.Version);
        var (kind, builder) = (KindOf(file.Metadata), new ModelBuilder(file, options));
        var plan = kind switch
        {
            "RealNvpModel" => RealNvpReader.Read(builder),
            "NiceModel" => NiceReader.Read(builder),
            "SplineFlowModel" => SplineReader.Read(builder),
            _ => AutoregressiveReader.Read(builder, inverted: kind == "IafModel"),
        };
        options.CheckEmpty();
        file.CheckEmpty();
        return new FlowScorer(kind, plan, builder.Memory);
    }

    /// <summary>That a part is not computed here, and what to do.</summary>
    public static NotSupportedException NotComputed(string name, string part, string why) =>
        new($"{name} holds {part}, which RealNvp.Scoring does not compute: {why}. {Cure}.");

    private static void CheckKind(IReadOnlyDictionary<string, string> metadata, string name)
    {
        var kind = KindOf(metadata);
        if (metadata.ContainsKey(StateFile.DetectorKey)) throw NotComputed(name, "an AnomalyDetector", "it is more than a flow");
        switch (kind)
        {
            case "RealNvpModel" or "NiceModel" or "SplineFlowModel" or "MafModel" or "IafModel": break;
            case "GlowModel": throw NotComputed(name, "a GlowModel", "it has convolutions");
            case "FfjordModel": throw NotComputed(name, "a FfjordModel", "it solves a differential equation for each row");
            case "ResidualFlowModel": throw NotComputed(name, "a ResidualFlowModel", "its inverse and its determinants are searched");
            case "ImportedModel": throw NotComputed(name, "an ImportedModel", "its layers are those of another library");
            case StateFile.TableKind: throw NotComputed(name, "a TableFlow", "its rows are no vectors");
            default:
                if (metadata.ContainsKey(StateFile.OptionsKey))
                    throw NotComputed(name, $"a model of kind {FileText.Name(kind)}", "it is none of the library's");
                break;
        }
        if (!metadata.ContainsKey(StateFile.OptionsKey))
            throw new InvalidDataException(
                $"{name} holds weights without the options of a model, so nothing says how to compute with them. Save a FlowModel, such " +
                $"as a RealNvpModel, with the package RealNvp.");
    }

    // what the first files said
    private static string KindOf(IReadOnlyDictionary<string, string> metadata) =>
        metadata.GetValueOrDefault(StateFile.KindKey, "none") is var kind && kind == "SplineFlow" ? "SplineFlowModel" : kind;
}
