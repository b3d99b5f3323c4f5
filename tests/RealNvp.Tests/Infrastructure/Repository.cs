using System.Reflection;

namespace RealNvp.Tests.Infrastructure;

/// <summary>The checkout that these tests were built from, and facts of that build.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The package cache that the build restored into; ends with a separator.</summary>
    public static string PackageCache => Built("PackageCache");

    public static string TorchSharpVersion => Built("TorchSharpVersion");

    public static string Configuration => Built("Configuration");

    public static string At(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "RealNvp.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException(
            $"No folder above {AppContext.BaseDirectory} holds RealNvp.sln: these tests need the checkout.");
    }

    // The test project writes these into the assembly.
    private static string Built(string key) =>
        typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
