using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

/// <summary>On a GPU, fetching a number from a tensor waits until all work before it is done. Where the library does so is written here.</summary>
public partial class HostDeviceTests
{
    // file: why it fetches a number, and when
    private static readonly Dictionary<string, string> allowed = new()
    {
        ["Bijections/Linear/PeriodicConv2d.cs"] = "the inverse refuses a matrix that is nearly singular",
        ["Bijections/Masking/Mask.cs"] = "a mask is made from a tensor once",
        ["Bijections/Normalization/ActNorm.cs"] = "asks once whether it is initialized, then remembers",
        ["Bijections/Preprocessing/Standardization.cs"] = "Fit looks for constant features, once",
        ["Bijections/Preprocessing/UniformDequantization.cs"] = "checks the range of data, in LogProb and before training",
        ["Bijections/Residual/TanhEquation.cs"] = "a root is searched until it is found",
        ["Operations/Elementwise/Mixture/MixtureOperation.cs"] = "a root is searched until it is found",
        ["Operations/Elementwise/Mixture/MixtureTwin.cs"] = "a root is searched until it is found",
        ["Densities/ResampledNormal.cs"] = "the normalizer is estimated when it is asked for",
    };

    [Fact]
    public void Layers_networks_and_densities_fetch_no_number_but_for_a_known_reason()
    {
        var source = Path.Combine(Repository.Root, "src", "RealNvp");
        var found = new[] { "Bijections", "Transformers", "Conditioners", "Densities", "Operations" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(source, folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => Fetch().IsMatch(File.ReadAllText(file)))
            .Select(file => Path.GetRelativePath(source, file).Replace('\\', '/'));
        found.Should().BeEquivalentTo(allowed.Keys);
    }

    // the memory of the CPU, and what is not the library's
    private static readonly string[] direct =
    [
        "Internal/HostFetch.cs", "Internal/RandomState.cs", "Serialization/GeneratorState.cs",
        // a network of a user's is tried when the layer is built
        "Internal/OrderCheck.cs",
        "Bijections/Masking/Mask.cs", "Kernels/Dense/DenseSequence.cs", "Operations/Convolution/ScaledLinear.cs", "Serialization/SafeTensorsData.cs", "Training/AverageSlot.cs",
        // reversible training asks after each step how far it has drifted
        "Training/Reversible/ReversibleRun.cs", "Training/Reversible/ReverseWalk.cs",
    ];

    [Fact]
    public void All_other_numbers_are_fetched_through_one_place()
    {
        var source = Path.Combine(Repository.Root, "src", "RealNvp");
        var found = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => Direct().IsMatch(File.ReadAllText(file)))
            .Select(file => Path.GetRelativePath(source, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith("bin/", StringComparison.Ordinal) && !file.StartsWith("obj/", StringComparison.Ordinal));
        found.Should().BeEquivalentTo(direct);
    }

    [GeneratedRegex(@"\.Fetch|\.nonzero\(|\.data<|\.bytes\b")]
    private static partial Regex Fetch();

    [GeneratedRegex(@"\.item<|\.ToScalar\(|\.ToSingle\(|\.ToBoolean\(|\.cpu\(\)|\.data<|\.bytes\b(?!<)")]
    private static partial Regex Direct();
}
