using System.Collections;
using System.Globalization;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Describing;

/// <summary>One line about a module: its class, its shapes, what it says of itself and the number of its parameters.</summary>
/// <remarks>Debuggers and logs print modules in any state, so nothing here throws: what cannot be had is left out.</remarks>
internal static class ModuleText
{
    private const int LongestList = 8;

    /// <summary>The line.</summary>
    /// <param name="module">The module.</param>
    /// <param name="given">The shape of what reaches it, if it is known from outside.</param>
    public static string Line(nn.Module module, EventShape? given)
    {
        List<string> parts = [$"{TypeName(module.GetType())}{Space(Shapes(module, given))}"];
        if (ContextSize(module) is > 0 and var size) parts.Add($"context of {size.ToString("N0", CultureInfo.InvariantCulture)}");
        if (Details(module) is { Length: > 0 } details) parts.Add(details);
        if (Parameters(module) is { Length: > 0 } count) parts.Add(count);
        return string.Join(", ", parts);
    }

    /// <summary>The name of a class as it stands in code, without type arguments.</summary>
    public static string TypeName(Type type) => type.Name.Split('`')[0];

    /// <summary>What a module says of itself, or its plain public properties.</summary>
    public static string Details(nn.Module module) =>
        (module is IDescribed described ? Try(() => described.Description ?? Properties(module)) : Properties(module)) ?? "";

    /// <summary>The shapes of what goes in and comes out, as far as the module says it.</summary>
    public static (EventShape? Input, EventShape? Output) ShapesOf(nn.Module module, EventShape? given) =>
        module is IDescribed described ? Try(() => described.ShapesFor(given)) : default;

    /// <summary>The number of elements of all parameters that are alive, and of those that are not trained.</summary>
    public static (long All, long Frozen) Count(nn.Module module)
    {
        long all = 0, frozen = 0;
        foreach (var parameter in Try(() => module.parameters().ToArray()) ?? [])
        {
            if (parameter.IsInvalid) continue;
            var size = parameter.numel();
            all += size;
            if (!parameter.requires_grad) frozen += size;
        }
        return (all, frozen);
    }

    /// <summary>A number with a comma for thousands, and the noun.</summary>
    public static string Number(long count, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {noun}{(count == 1 ? "" : "s")}");

    private static string Parameters(nn.Module module)
    {
        var (all, frozen) = Count(module);
        if (all == 0) return "";
        return Number(all, "parameter") + (frozen == 0 ? "" : frozen == all ? ", frozen"
            : string.Create(CultureInfo.InvariantCulture, $", {frozen:N0} of them frozen"));
    }

    private static string Shapes(nn.Module module, EventShape? given)
    {
        var (input, output) = ShapesOf(module, given);
        if (input is null && output is null) return "";
        return input == output ? $"{input}" : $"{Text(input)} -> {Text(output)}";
        static string Text(EventShape? shape) => shape?.ToString() ?? "?";
    }

    private static long ContextSize(nn.Module module) => module is IDescribed described ? Try(() => described.ContextSize) : 0;

    /// <summary>The plain public properties that the class itself has: not what every bijection or every module has.</summary>
    /// <param name="module">The module.</param>
    /// <param name="below">A class that is no abstract one, and whose properties every module of its family has; null for none.</param>
    public static string Properties(nn.Module module, Type? below = null)
    {
        var parts = new List<string>();
        foreach (var property in module.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetIndexParameters().Length > 0 || property.GetMethod is not { IsPublic: true } getter) continue;
            if (getter.DeclaringType == below || !IsOwn(getter) || !IsPlain(property.PropertyType)) continue;
            if (Try(() => property.GetValue(module)) is { } value && Value(value) is { Length: > 0 } text)
                parts.Add($"{property.Name} = {text}");
        }
        return string.Join(", ", parts);
    }

    private static bool IsOwn(MethodInfo getter)
    {
        var type = getter.DeclaringType!;
        return !type.IsAbstract && type != typeof(nn.Module) && getter.GetBaseDefinition() == getter;
    }

    // shapes of networks are in their own lines
    private static bool IsPlain(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(decimal) || type == typeof(TimeSpan)
            || type == typeof(FeatureSet) || type == typeof(Mask) || typeof(IReadOnlyList<EventShape>).IsAssignableFrom(type);
    }

    private static string Value(object value) => value switch
    {
        Mask mask => string.Create(CultureInfo.InvariantCulture, $"keeps {Kept(mask):N0} of {mask.Kept.Length:N0}"),
        FeatureSet set => set.Count <= LongestList ? set.ToString() : Number(set.Count, "feature"),
        IReadOnlyList<EventShape> shapes => shapes.Count <= LongestList ? $"[{string.Join(", ", shapes)}]" : $"{shapes.Count} shapes",
        double number => number.ToString("G6", CultureInfo.InvariantCulture),
        float number => number.ToString("G6", CultureInfo.InvariantCulture),
        string text => text.ReplaceLineEndings(" "),
        IEnumerable => "",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static int Kept(Mask mask)
    {
        var count = 0;
        foreach (var kept in mask.Kept) count += kept ? 1 : 0;
        return count;
    }

    private static string Space(string text) => text.Length == 0 ? "" : " " + text;

    /// <summary>What <paramref name="get"/> gives; the default if it throws.</summary>
    public static T? Try<T>(Func<T> get)
    {
        try { return get(); }
        catch (Exception e) when (e is not OutOfMemoryException) { return default; }
    }
}
