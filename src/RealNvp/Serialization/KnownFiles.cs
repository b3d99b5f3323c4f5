using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace RealNvp;

/// <summary>Hands the records and the models of the library to those who read and write files, which know none of them.</summary>
/// <remarks>A trainer builds the model of a checkpoint though nobody has named its class before: so this is done
/// when the library is loaded. It makes a few delegates; nothing of TorchSharp or of JSON is touched.</remarks>
internal sealed class KnownFiles : IOlderRecords
{
#pragma warning disable CA2255 // for libraries it is advised against because it runs unasked; this one does nothing that could be noticed
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void HandIn()
    {
        FileJson.Add(static () => FileRecords.Default);
        FileJson.Older = new KnownFiles();
        ModelKind.AddLibrary(static () =>
        [
            ModelOptions.Kind<FfjordModel, FfjordOptions>(o => new(o)),
            ModelOptions.Kind<GlowModel, GlowOptions>(o => new(o)), ModelOptions.Kind<IafModel, IafOptions>(o => new(o)),
            ModelOptions.Kind<MafModel, MafOptions>(o => new(o)), ModelOptions.Kind<NiceModel, NiceOptions>(o => new(o)),
            ModelOptions.Kind<RealNvpModel, RealNvpOptions>(o => new(o)),
            ModelOptions.Kind<ResidualFlowModel, ResidualFlowOptions>(o => new(o)),
            ModelOptions.Kind<SplineFlowModel, SplineFlowOptions>(o => new(o)),
        ]);
    }

    string IOlderRecords.KindOf(string kind) => OlderNames.KindOf(kind);

    bool IOlderRecords.Concern(Type type, int version) =>
        version < FrozenMembers.Current || type == typeof(FlowInfo) || OlderNames.Concern(type);

    Type IOlderRecords.Translate(JsonNode? node, Type type, int version, Action<string>? dropped)
    {
        if (type == typeof(FlowInfo)) FrozenMembers.CompleteInfo(node);
        var record = OlderNames.Translate(node, type, dropped);
        FrozenMembers.Complete(node, FileJson.TypeOf(record), version, dropped);
        return record;
    }
}
