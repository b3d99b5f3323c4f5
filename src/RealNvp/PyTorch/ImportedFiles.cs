using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>Hands the record of imported models to those who read and write files, as <c>KnownFiles</c> does those of the floors
/// below.</summary>
internal static class ImportedFiles
{
#pragma warning disable CA2255 // as in KnownFiles: it makes a few delegates
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void HandIn()
    {
        FileJson.Add(static () => ImportedRecords.Default);
        ModelKind.AddLibrary(static () => [ModelOptions.Kind<ImportedModel, ImportedOptions>(o => new(o))]);
    }
}

/// <summary>The records of imported models in files.</summary>
[JsonSerializable(typeof(ImportedOptions))]
internal sealed partial class ImportedRecords : JsonSerializerContext;
