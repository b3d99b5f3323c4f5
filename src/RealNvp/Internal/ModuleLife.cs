using System.Reflection;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Whether modules are disposed, for those who take them over:
/// TorchSharp's own text about it names neither module nor argument.</summary>
internal static class ModuleLife
{
    // a disposed module has no weights, which looks like one that never had any, so
    // its native handle is asked; null in a TorchSharp without that field
    private static readonly FieldInfo? handle = typeof(nn.Module).GetField("handle", BindingFlags.Instance | BindingFlags.NonPublic);

    /// <summary>Throws if a module or a part of it is disposed; else gives it back.</summary>
    /// <param name="module">A layer, a density, a network; null passes.</param>
    /// <param name="parameter">What the caller called it.</param>
    /// <param name="owner">Who takes it.</param>
    /// <exception cref="ObjectDisposedException">It names the module.</exception>
    public static T Alive<T>(T module, string parameter, string owner) where T : nn.Module?
    {
        if (module is null || FirstDisposed(module) is not { } gone) return module;
        var what = ReferenceEquals(gone.Module, module) ? $"The {Name(module)}"
            : $"The part {gone.Path} ({Name(gone.Module)}) of the {Name(module)}";
        throw new ObjectDisposedException(Name(gone.Module),
            $"{what} that {owner} got as '{parameter}' has been disposed. Who takes a layer, a density or a network disposes it with " +
            $"itself: make a new one for each.");
    }

    /// <summary>The first disposed module among a module and its parts, with its path; null if there is none.</summary>
    public static (string Path, nn.Module Module)? FirstDisposed(nn.Module module, string path = "")
    {
        if (IsDisposed(module)) return (path, module);
        try
        {
            foreach (var (name, part) in module.named_children())
                if (FirstDisposed(part, path.Length == 0 ? name : $"{path}.{name}") is { } gone) return gone;
            return null;
        }
        catch (ObjectDisposedException) { return (path, module); }
    }

    /// <summary>A name for messages; a disposed module of TorchSharp's own has none.</summary>
    public static string Name(nn.Module module)
    {
        try { return module.GetName(); }
        catch (ObjectDisposedException) { return module.GetType().Name; }
    }

    /// <summary>Whether a module is known to be disposed. TorchSharp's own layers keep their handle, but not their weights.</summary>
    public static bool IsDisposed(nn.Module module) =>
        (handle?.GetValue(module) is SafeHandle native && (native.IsInvalid || native.IsClosed)) ||
        (module is TorchSharp.Modules.Linear { weight.IsInvalid: true } or TorchSharp.Modules.Conv2d { weight.IsInvalid: true });
}
