using System.Reflection;

namespace RealNvp.Tests.House;

public class NameTests
{
    private static readonly Type[] types = [.. typeof(Flow).Assembly.GetExportedTypes().Where(t => t.IsClass)];

    /// <summary>A model, its record and its class are named alike.</summary>
    [Fact]
    public void Models_end_in_Model_and_their_records_in_Options()
    {
        var models = types.Where(t => t.IsSubclassOf(typeof(FlowModel))).Select(t => t.Name.Split('`')[0]).ToArray();
        models.Should().HaveCountGreaterThan(5).And.OnlyContain(name => name.EndsWith("Model", StringComparison.Ordinal));
        types.Where(t => t.IsSubclassOf(typeof(ModelOptions))).Should()
            .OnlyContain(t => t.Name.EndsWith("Options", StringComparison.Ordinal));
        types.Where(t => t.Name.EndsWith("Model", StringComparison.Ordinal) && t != typeof(FlowModel))
            .Should().OnlyContain(t => t.IsSubclassOf(typeof(FlowModel)));
    }

    // things that have a name of their own: a squeeze, a permutation, a chain
    private static readonly HashSet<string> nouns =
    [
        "ActNorm", "AsinhTransform", "Chain", "CircularShift", "Composite", "DiagonalScaling", "FlowBatchNorm", "HaarSqueeze",
        "LearnedPrior", "LogitTransform", "PeriodicConv2d", "Permutation", "RandomHorizontalFlip", "Squeeze", "Standardization",
        "UniformDequantization", "VariationalDequantization", "Wrap",
    ];

    /// <summary>A bijection that has no noun of its own, as coupling, inverted or planar, is a layer.</summary>
    [Fact]
    public void A_bijection_is_a_noun_or_a_layer()
    {
        var bijections = types.Where(t => t.IsSubclassOf(typeof(Bijection))).Select(t => t.Name).ToArray();
        bijections.Where(name => !name.EndsWith("Layer", StringComparison.Ordinal)).Should().BeEquivalentTo(nouns);
        // a layer of a network, which is no bijection by itself
        types.Where(t => t.Name.EndsWith("Layer", StringComparison.Ordinal) && t.Name != "LipschitzLayer")
            .Should().OnlyContain(t => t.IsSubclassOf(typeof(Bijection)));
    }

    /// <summary>What a call returns gets new members in time: a constructor of many values would change for its callers then.</summary>
    [Fact]
    public void Records_with_many_members_are_not_made_by_position() =>
        types.Where(t => t.GetMethod("<Clone>$") is not null)
            .Where(t => t.GetConstructors(BindingFlags.Instance | BindingFlags.Public).Any(c => c.GetParameters().Length > 3))
            .Select(t => t.Name).Should().BeEmpty();
}
