namespace RealNvp.Tests.House;

/// <summary>The floors of src/RealNvp, from the lowest up. A type may know
/// types of its own room and of the rooms before it, and no others.</summary>
internal static class Floors
{
    /// <summary>A room, and the files that are in it: all whose path below src/RealNvp begins so. The longest beginning counts.</summary>
    public static readonly (string Room, string[] Paths)[] Rooms =
    [
        ("Kernels", ["Kernels/"]),
        // what everybody may use: checks, shapes, traits, statistics, noise, the backend, a module in words
        ("Ground", ["Internal/", "Shapes/", "Traits/", "Statistics/", "Noise.cs", "TorchBackend.cs", "Cpu", "DataRows.cs",
            "Describing/IDescribed.cs", "Describing/ModuleT", "Describing/HtmlT", "Describing/HtmlFormatterSource.cs",
            "Describing/RecordText.cs"]),
        // files and what is in them, whosever it is
        ("Files", ["Serialization/"]),
        ("Operations", ["Operations/"]),
        // graphs of ONNX, node by node: values and networks, no layers
        ("Onnx", ["Onnx/"]),
        // solvers of differential equations: tensors and functions, no layers
        ("Ode", ["Ode/"]),
        // what a layer is, what it is run with, and compositions
        ("Layers", ["Layers/"]),
        ("Transformers", ["Transformers/"]),
        ("Conditioners", ["Conditioners/"]),
        ("Bijections", ["Bijections/"]),
        ("Densities", ["Densities/"]),
        ("Context", ["Context/"]),
        ("Reversible", ["Reversible/"]),
        ("Flow", ["Flow", "Evaluation.cs", "LayerSummary.cs", "LayerStatistics.cs", "NumberSummary.cs", "Describing/"]),
        // files from which a flow can be built; what it can be is registered
        ("Serialization", ["Serialization/Model", "Serialization/IModelRecord.cs"]),
        ("Checking", ["Checking/"]),
        ("Inference", ["Inference/"]),
        // whether a conditional density is right, and whether two samples are of one distribution
        ("Diagnostics", ["Diagnostics/"]),
        ("Training", ["Training/"]),
        // the records of all floors, as files have them, are known here alone
        ("Models", ["Models/", "Fitting/", "Serialization/FileRecords.cs", "Serialization/FrozenMembers.cs",
            "Serialization/KnownFiles.cs", "Serialization/OlderNames.cs"]),
        // what is made of trained models
        ("Anomalies", ["Anomalies/"]),
        // whole tables, with a flow inside
        ("Tables", ["Tables/"]),
        // files of PyTorch, and flows of other libraries in them
        ("PyTorch", ["PyTorch/"]),
    ];

    private static readonly Dictionary<string, int> heights = Rooms.Select((r, i) => (r.Room, i)).ToDictionary(r => r.Room, r => r.i);

    public static int HeightOf(string room) => heights[room];

    /// <summary>The room of a source file; null if none is said.</summary>
    public static string? RoomOf(string path) => Rooms.SelectMany(r => r.Paths.Select(p => (r.Room, Path: p)))
        .Where(r => path.StartsWith(r.Path, StringComparison.Ordinal)).OrderByDescending(r => r.Path.Length).Select(r => r.Room)
            .FirstOrDefault();
}
