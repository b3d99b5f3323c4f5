namespace RealNvp.Samples.Table;

/// <summary>The kinds of flow that a table can be fitted with: the library's presets for tables.</summary>
internal static class TableModels
{
    public const string Default = "realnvp";

    private static readonly Dictionary<string, Func<long, long, long?, ModelOptions>> kinds = new()
    {
        ["realnvp"] = (d, n, hidden) => RealNvpOptions.Tabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["nice"] = (d, n, hidden) => NiceOptions.Tabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["spline"] = (d, n, hidden) => SplineFlowOptions.Tabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["maf"] = (d, n, hidden) => MafOptions.Tabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["maf-spline"] = (d, n, hidden) => MafOptions.SplineTabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["iaf"] = (d, n, hidden) => IafOptions.Tabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["iaf-spline"] = (d, n, hidden) => IafOptions.SplineTabular(d, n) is var o && hidden is { } h ? o with { Hidden = h } : o,
    };

    public static IEnumerable<string> Names => kinds.Keys;

    /// <summary>The options of a kind, for a number of features and of rows to train on.</summary>
    /// <exception cref="ArgumentException">There is no such kind.</exception>
    public static ModelOptions Options(string name, long features, long rows, long? hidden) => kinds.TryGetValue(name, out var make)
        ? make(features, rows, hidden)
        : throw new ArgumentException($"--model is '{name}'; expected one of {string.Join(", ", Names)}.");

    public static FlowModel Build(ModelOptions options, long seed) => options switch
    {
        RealNvpOptions o => new RealNvpModel(o, seed),
        NiceOptions o => new NiceModel(o, seed),
        SplineFlowOptions o => new SplineFlowModel(o, seed),
        MafOptions o => new MafModel(o, seed),
        IafOptions o => new IafModel(o, seed),
        _ => throw new ArgumentException($"{options.GetType().Name} describes no model of tables."),
    };
}
