using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <content>The packages that the tests take.</content>
public sealed partial class PackageTests
{
    /// <summary>A folder with the packed library, which was built with these tests.</summary>
    public sealed class Feed : IDisposable
    {
        // A version that no cache can hold from an earlier run.
        public static readonly string Version = $"0.0.0-test.{Guid.NewGuid():n}";
        private readonly GeneratedProject packed = new();

        public Feed() => Pack("RealNvp");

        /// <summary>Adds the package of pictures, once.</summary>
        public void AddPlotting() => Add("RealNvp.Plotting");

        /// <summary>Adds a package, once.</summary>
        public void Add(string library)
        {
            if (!File.Exists(At("feed", $"{library}.{Version}.nupkg"))) Pack(library);
        }

        /// <summary>Adds the package for ML.NET, once.</summary>
        public void AddML()
        {
            if (!File.Exists(At("feed", $"RealNvp.ML.{Version}.nupkg"))) Pack("RealNvp.ML");
        }

        private void Pack(string library) =>
            packed.DotNet("pack", Repository.At("src", library, $"{library}.csproj"), "--no-build", "-c", Repository.Configuration, "-o",
                At("feed"), $"-p:Version={Version}");

        public string At(params ReadOnlySpan<string> parts) => packed.At(parts);

        /// <summary>An empty project folder that restores from this feed, and takes everything else from the cache of this build.</summary>
        internal GeneratedProject NewConsumer()
        {
            var app = new GeneratedProject();
            app.Write("nuget.config", $"""
                <configuration>
                  <packageSources><add key="packed" value="{At("feed")}" /></packageSources>
                  <fallbackPackageFolders><add key="cache" value="{Repository.PackageCache}" /></fallbackPackageFolders>
                  <config><add key="globalPackagesFolder" value="{app.At("packages")}" /></config>
                </configuration>
                """);
            return app;
        }

        public void Dispose() => packed.Dispose();
    }
}
