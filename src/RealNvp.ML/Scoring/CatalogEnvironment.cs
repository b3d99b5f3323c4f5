using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace RealNvp.ML.Scoring;

/// <summary>The environment of a catalog: the source of seeds, and where messages go.</summary>
internal static class CatalogEnvironment
{
    /// <summary>The MLContext of a catalog.</summary>
    /// <exception cref="NotSupportedException">This ML.NET keeps it elsewhere; the message says what to call.</exception>
    // ML.NET shows it to its own assemblies alone, and catalogs are all that an extension method gets
    public static IHostEnvironment Of(object catalog) => catalog.GetType().GetInterfaces()
        .Where(i => i.FullName == "Microsoft.ML.Data.IInternalCatalog")
        .Select(i => i.GetProperty("Environment")?.GetValue(catalog)).OfType<IHostEnvironment>().FirstOrDefault()
        ?? throw new NotSupportedException(
            $"{Version} does not say which MLContext a catalog is of, so its seed and its log are out of reach. Make the trainer by " +
            $"new {nameof(NormalizingFlowTrainer)}(mlContext, ...).");

    /// <summary>Such as "Microsoft.ML 5.0.1".</summary>
    // its assemblies have the version 1.0.0 always
    public static string Version => "Microsoft.ML " + typeof(MLContext).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];
}
