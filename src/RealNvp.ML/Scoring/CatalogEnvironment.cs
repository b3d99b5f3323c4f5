using Microsoft.ML.Runtime;

namespace RealNvp.ML.Scoring;

/// <summary>The environment of a catalog: the source of seeds, and where messages go.</summary>
internal static class CatalogEnvironment
{
    /// <summary>Null if this ML.NET keeps it elsewhere; then nothing is drawn and nothing told.</summary>
    // ML.NET shows it to its own assemblies alone, and catalogs are all that an extension method gets
    public static IHostEnvironment? Of(object catalog) => catalog.GetType().GetInterfaces()
        .Where(i => i.FullName == "Microsoft.ML.Data.IInternalCatalog")
        .Select(i => i.GetProperty("Environment")?.GetValue(catalog)).OfType<IHostEnvironment>().FirstOrDefault();
}
