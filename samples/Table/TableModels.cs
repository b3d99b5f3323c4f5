namespace RealNvp.Samples.Table;

/// <summary>The kinds of flow that a table can be fitted with: the library's presets for tables.</summary>
internal static class TableModels
{
    public const string Default = "realnvp";

    private static readonly Dictionary<string, Func<long, long?, ModelOptions>> kinds = new()
    {
        ["realnvp"] = (d, hidden) => RealNvpOptions.Tabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["nice"] = (d, hidden) => NiceOptions.Tabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["spline"] = (d, hidden) => SplineFlowOptions.Tabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["maf"] = (d, hidden) => MafOptions.Tabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["maf-spline"] = (d, hidden) => MafOptions.SplineTabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["iaf"] = (d, hidden) => IafOptions.Tabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
        ["iaf-spline"] = (d, hidden) => IafOptions.SplineTabular(d) is var o && hidden is { } h ? o with { Hidden = h } : o,
    };

    public static IEnumerable<string> Names => kinds.Keys;

    /// <summary>The options of a kind, for a number of features.</summary>
    /// <exception cref="ArgumentException">There is no such kind.</exception>
    public static ModelOptions Options(string name, long features, long? hidden) => kinds.TryGetValue(name, out var make)
        ? make(features, hidden)
        : throw new ArgumentException($"--model is '{name}'; expected one of {string.Join(", ", Names)}.");

    public static FlowModel Build(ModelOptions options, long seed) => options switch
    {
        RealNvpOptions o => new RealNvpModel(o, seed),
        NiceOptions o => new NiceModel(o, seed),
        SplineFlowOptions o => new SplineFlow(o, seed),
        MafOptions o => new MafModel(o, seed),
        IafOptions o => new IafModel(o, seed),
        _ => throw new ArgumentException($"{options.GetType().Name} describes no model of tables."),
    };
}
