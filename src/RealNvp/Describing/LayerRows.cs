using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Describing;

/// <summary>The rows of a <see cref="FlowSummary"/>: all bijections of a flow, those inside of others after them.</summary>
internal static class LayerRows
{
    // below it log-determinants are rounding
    private const double Least = 1e-4;

    public static IReadOnlyList<LayerSummary> Of(Flow flow, LayerLogDets? logDets)
    {
        var all = All(flow);
        var total = logDets is null ? 0 : all.Where(r => !r.Composite).Sum(r => Math.Abs(logDets[r.Layer] ?? 0));
        return [.. all.Select(row =>
        {
            var (input, output) = ModuleText.ShapesOf(row.Layer, row.Given);
            var mean = logDets?[row.Layer];
            return new LayerSummary
            {
                Path = row.Path, Type = ModuleText.TypeName(row.Layer.GetType()), Description = ModuleText.Details(row.Layer),
                    Depth = row.Depth, IsComposite = row.Composite, InputShape = input, OutputShape = output,
                Parameters = ModuleText.Count(row.Layer).All, MeanLogDet = mean, LogDetShare = mean is { } m && !row.Composite
                    ? (total > Least && double.IsFinite(total) ? Math.Abs(m) / total : 0) : null,
                HasFastForward = row.Layer.HasFastForward, HasFastInverse = row.Layer.HasFastInverse,
            };
        })];
    }

    /// <summary>All bijections of a flow, those inside of others after them, and the shapes of what reaches them if known.</summary>
    public static IReadOnlyList<(Bijection Layer, string Path, int Depth, EventShape? Given, bool Composite)> All(Flow flow)
    {
        var all = new List<(Bijection, string, int, EventShape?, bool)>();
        Add(all, flow.Bijection, "bijection", 0, flow.InputShape);
        return all;
    }

    /// <summary>The bijections that a module is made of, not those that these
    /// are made of, and the shapes of what reaches them if known.</summary>
    public static IEnumerable<(string Path, Bijection Layer, EventShape? Given)> Inside(nn.Module module, EventShape? given)
    {
        // a list's items stand under the list's name in a state dict
        var lists = module.named_children().Where(c => c.module.GetType().Name.StartsWith("ModuleList", StringComparison.Ordinal))
            .Select(c => c.name).ToArray();
        foreach (var (key, part, shape) in ModuleTree.Parts(module, given))
        {
            var path = lists.Length == 1 && char.IsAsciiDigit(key[0]) ? $"{lists[0]}.{key}" : key;
            if (part is Bijection layer) yield return (path, layer, shape);
            else foreach (var (inner, layerInside, at) in Inside(part, null)) yield return ($"{path}.{inner}", layerInside, at);
        }
    }

    private static void Add(List<(Bijection, string, int, EventShape?, bool)> rows, Bijection layer, string path, int depth,
        EventShape? given)
    {
        var inside = Inside(layer, given).ToArray();
        rows.Add((layer, path, depth, given, inside.Length > 0));
        foreach (var (name, part, shape) in inside) Add(rows, part, $"{path}.{name}", depth + 1, shape);
    }
}
