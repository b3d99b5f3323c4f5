using System.Collections;
using System.Reflection;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Whether a network has forward hooks of the user's, which a kernel that reads its weights would pass by.</summary>
internal static class ModuleHooks
{
    // TorchSharp has no question for it; without these fields there is nothing to ask
    private static readonly FieldInfo[] fields = FindFields(typeof(nn.Module<Tensor, Tensor?, Tensor>));

    /// <summary>Whether a network itself has hooks; those of the modules inside of it do not count.</summary>
    public static bool Any(nn.Module<Tensor, Tensor?, Tensor> network)
    {
        foreach (var field in fields)
            if (field.GetValue(network) is ICollection { Count: > 0 }) return true;
        return false;
    }

    /// <summary>The lists of hooks of a network, which live as long as it does.</summary>
    public static ICollection[] Of(nn.Module<Tensor, Tensor?, Tensor> network) =>
        [.. fields.Select(field => field.GetValue(network)).OfType<ICollection>()];

    /// <summary>Whether there is a hook in such lists.</summary>
    public static bool Any(ICollection[] hooks)
    {
        foreach (var list in hooks)
            if (list.Count > 0) return true;
        return false;
    }

    private static FieldInfo[] FindFields(Type? type)
    {
        var found = new List<FieldInfo>();
        for (; type is not null && type != typeof(object); type = type.BaseType)
            found.AddRange(type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Where(f => f.Name.Contains("hook", StringComparison.OrdinalIgnoreCase)
                    && typeof(ICollection).IsAssignableFrom(f.FieldType)));
        return [.. found];
    }
}
