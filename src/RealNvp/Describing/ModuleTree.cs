using System.Globalization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Describing;

/// <summary>A module as text: a line each for it and its parts, and runs of equal layers once, with their number.</summary>
internal sealed class ModuleTree
{
    // the longest sequence of layers that is looked for
    private const int LongestPeriod = 12;

    private readonly string key, line;
    private readonly ModuleTree[] children;

    private ModuleTree(string key, nn.Module module, EventShape? given, bool expand)
    {
        this.key = key;
        line = ModuleText.Line(module, given);
        children = expand ? [.. Parts(module, given).Select(p => new ModuleTree(p.Key, p.Module, p.Given, IsOpen(p.Module)))] : [];
    }

    /// <summary>The text. Networks have one line, unless the network is what is asked for.</summary>
    public static string Of(nn.Module module, string? more = null)
    {
        var lines = new List<string>();
        var tree = new ModuleTree("", module, null, expand: true);
        tree.Print(lines, 0, more is null ? tree.line : $"{tree.line}, {more}");
        return string.Join('\n', lines);
    }

    /// <summary>The parts that a module is made of, with names as in a state dict, and the shape of
    /// what reaches them if that is known. Lists are left out for what is in them.</summary>
    public static IEnumerable<(string Key, nn.Module Module, EventShape? Given)> Parts(nn.Module module, EventShape? given)
    {
        var children = module.named_children().ToArray();
        var single = children.Count(c => IsList(c.module)) == 1;
        var shapes = Shapes(module, given);
        foreach (var (name, child) in children)
        {
            if (!IsList(child)) yield return (name, child, Shape(child));
            else
                foreach (var (index, item) in child.named_children()) yield return (single ? index : $"{name}.{index}", item, Shape(item));
        }
        EventShape? Shape(nn.Module part) => shapes.TryGetValue(part, out var known) ? known : (EventShape?)null;
    }

    // a module may know the shapes up to some part only
    private static Dictionary<nn.Module, EventShape> Shapes(nn.Module module, EventShape? given)
    {
        var shapes = new Dictionary<nn.Module, EventShape>(ReferenceEqualityComparer.Instance);
        if (module is not IDescribed described) return shapes;
        ModuleText.Try(() =>
        {
            foreach (var (part, shape) in described.PartShapesFor(given)) shapes[part] = shape;
            return true;
        });
        return shapes;
    }

    private static bool IsOpen(nn.Module module) => module is IDescribed described && ModuleText.Try(() => described.ShowsParts);

    private static bool IsList(nn.Module module) =>
        module.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ModuleList<>);

    private void Print(List<string> lines, int depth, string text)
    {
        lines.Add($"{new string(' ', 2 * depth)}{text}");
        for (var i = 0; i < children.Length;)
        {
            var (period, times) = Run(i);
            if (times > 1)
            {
                var range = $"{children[i].key}-{children[i + (period * times) - 1].key}: " +
                    $"{times.ToString(CultureInfo.InvariantCulture)} times";
                if (period == 1) children[i].Print(lines, depth + 1, $"{range} {children[i].line}");
                else
                {
                    lines.Add($"{new string(' ', 2 * (depth + 1))}{range}");
                    for (var k = 0; k < period; k++) children[i + k].Print(lines, depth + 2, children[i + k].line);
                }
            }
            else children[i].Print(lines, depth + 1, $"{children[i].key}: {children[i].line}");
            i += period * times;
        }
    }

    // the sequence of items of lists that begins here and is repeated at once: the one that takes the most of them, else one item
    private (int Period, int Times) Run(int start)
    {
        var best = (Period: 1, Times: 1);
        if (!char.IsAsciiDigit(children[start].key[^1])) return best;
        for (var period = 1; period <= Math.Min(LongestPeriod, (children.Length - start) / 2); period++)
        {
            var times = 1;
            while (Repeats(start, period, times)) times++;
            if (times > 1 && period * times > best.Period * best.Times) best = (period, times);
        }
        return best;
    }

    private bool Repeats(int start, int period, int times)
    {
        var next = start + (period * times);
        if (next + period > children.Length) return false;
        for (var k = 0; k < period; k++)
            if (!children[start + k].IsLike(children[next + k]) || !char.IsAsciiDigit(children[next + k].key[^1])) return false;
        return true;
    }

    private bool IsLike(ModuleTree other) =>
        line == other.line && children.Length == other.children.Length && children.Zip(other.children).All(p => p.First.key == p.Second.key
            && p.First.IsLike(p.Second));
}
