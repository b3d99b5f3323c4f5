using System.Reflection;
using RealNvp.Operations;

namespace RealNvp.Tests.Infrastructure;

/// <summary>Turns fused kernels on or off for a part of a test.</summary>
internal static class KernelSwitch
{
    private static readonly PropertyInfo[] switches = typeof(KernelSwitches)
        .GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic);

    /// <summary>Sets the switches of these names until disposed: <c>using
    /// (KernelSwitch.Set(false, nameof(KernelSwitches.Image)))</c>.</summary>
    public static IDisposable Set(bool on, params string[] names) =>
        new Restore([.. names.Select(name => switches.Single(s => s.Name == name))], on);

    /// <summary>Plain tensors everywhere until disposed, as on a GPU.</summary>
    public static IDisposable AllOff() => new Restore(switches, false);

    private sealed class Restore : IDisposable
    {
        private readonly (PropertyInfo Switch, object? Before)[] before;

        public Restore(PropertyInfo[] switches, bool on)
        {
            before = [.. switches.Select(s => (s, s.GetValue(null)))];
            foreach (var one in switches) one.SetValue(null, on);
        }

        public void Dispose()
        {
            foreach (var (one, value) in before) one.SetValue(null, value);
        }
    }
}
