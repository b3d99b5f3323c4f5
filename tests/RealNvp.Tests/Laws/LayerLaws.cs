using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>The laws that every layer obeys. To add a layer is to add a row to <see cref="LayerTable"/>.</summary>
public class LayerLaws
{
    public static TheoryData<string> Layers => LayerTable.Names;

    [Fact]
    public void Every_public_bijection_is_in_the_table()
    {
        var rows = LayerTable.All.SelectMany(c => { using var layer = c.Make(); return layer.modules().Append(layer).Select(m => m.GetType()).ToArray(); }).ToHashSet();
        var layers = typeof(Bijection).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(Bijection)) && !t.IsAbstract);
        layers.Should().OnlyContain(t => rows.Contains(t), "a layer that is missing from the table is not proved");
    }

    [Theory, MemberData(nameof(Layers))]
    public void Every_layer_passes_FlowCheck(string name) => LayerTable.Find(name).Verify().ThrowIfFailed();

    [Theory, MemberData(nameof(Layers))]
    public void Every_layer_passes_FlowCheck_far_from_its_initialization(string name) =>
        LayerTable.Find(name).Verify(o => o with { ParameterSpread = 1, Float64Tolerance = 1e-8, Float32Tolerance = 1e-3, Seed = 2 }).ThrowIfFailed();

    [Theory, MemberData(nameof(Layers))]
    public void A_new_layer_with_zero_ended_networks_is_the_identity_or_a_fixed_map(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        if (layer is not CouplingLayer || name.Contains("any module", StringComparison.Ordinal)) return;
        layer.eval();
        var x = randn(row.Shape.WithBatch(2));
        var (z, logDet) = layer.Forward(x, layer.ContextSize > 0 ? randn(2, layer.ContextSize) : null);
        z.sub(x).abs().max().item<float>().Should().Be(0);
        logDet.abs().max().item<float>().Should().Be(0);
    }

}
