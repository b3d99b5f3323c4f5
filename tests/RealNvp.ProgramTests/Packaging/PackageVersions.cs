using System.Xml.Linq;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The versions of packages, as <c>Directory.Packages.props</c> has them.</summary>
internal static class PackageVersions
{
    public static string Of(string package) => XDocument.Load(Repository.At("Directory.Packages.props")).Descendants("PackageVersion")
        .Single(v => v.Attribute("Include")!.Value == package).Attribute("Version")!.Value;
}
