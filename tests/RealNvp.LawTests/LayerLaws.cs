using RealNvp.Tests.Infrastructure;
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
        var rows = LayerTable.All.SelectMany(c => { using var layer = c.Make(); return layer.modules().Append(layer)
            .Select(m => m.GetType()).ToArray(); }).ToHashSet();
        var layers = typeof(Bijection).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(Bijection)) && !t.IsAbstract);
        // its noise depends on the integers, so it is no bijection of them; its own tests prove its noise flow and its bound
        layers.Should().OnlyContain(t => rows.Contains(t)
            || t == typeof(VariationalDequantization), "a layer that is missing from the table is not proved");
    }

    [Theory, MemberData(nameof(QuickEnough))]
    public void Every_layer_passes_FlowCheck(string name) => LayerTable.Find(name).Verify().ThrowIfFailed();

    public static TheoryData<string> QuickEnough => [.. LayerTable.All.Where(c => !c.IsVerySlow).Select(c => c.Name)];

    public static TheoryData<string> VerySlow => [.. LayerTable.All.Where(c => c.IsVerySlow).Select(c => c.Name)];

    [SlowTheory, MemberData(nameof(VerySlow))]
    public void Layers_that_are_very_slow_pass_FlowCheck(string name) => Every_layer_passes_FlowCheck(name);

    public static TheoryData<string> Quick => [.. LayerTable.All.Where(c => !c.IsSlow).Select(c => c.Name)];

    public static TheoryData<string> Slow => [.. LayerTable.All.Where(c => c.IsSlow).Select(c => c.Name)];

    [SlowTheory, MemberData(nameof(Slow))]
    public void Layers_that_are_slow_pass_FlowCheck_far_from_their_initialization(string name) =>
        Every_layer_passes_FlowCheck_far_from_its_initialization(name);

    [Theory, MemberData(nameof(Quick))]
    public void Every_layer_passes_FlowCheck_far_from_its_initialization(string name) =>
        LayerTable.Find(name).Verify(o => o with { ParameterSpread = LayerTable.Find(name).FarSpread, Float64Tolerance = 1e-8,
            Float32Tolerance = 1e-3, Seed = 2 }).ThrowIfFailed();

    [Theory, MemberData(nameof(Layers))]
    public void A_new_layer_with_zero_ended_networks_is_the_identity_or_a_fixed_map(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        if (layer is not CouplingLayer coupling || name.Contains("any module", StringComparison.Ordinal)) return;
        layer.eval();
        var x = randn(row.Shape.WithBatch(2));
        var (z, logDet) = layer.Forward(x, layer.ContextSize > 0 ? randn(2, layer.ContextSize) : null);
        if (coupling.Transformer is SigmoidAffineTransformer)
        {
            // a fixed scale: σ(2) of what the mask does not keep
            var unequal = z.sub(x).ne(0);
            z.masked_select(unequal).div(x.masked_select(unequal)).sub(1 / (1 + Math.Exp(-2))).abs().max().item<float>().Should()
                .BeLessThan(1e-5f);
            return;
        }
        // a spline of straight lines rounds
        var rounding = coupling.Transformer.IsIdentityAtZeroExactly ? 0 : 1e-6f * (float)row.Shape.NumElements;
        z.sub(x).abs().max().item<float>().Should().BeLessThanOrEqualTo(rounding);
        logDet.abs().max().item<float>().Should().BeLessThanOrEqualTo(rounding);
    }

    [Theory, MemberData(nameof(Layers))]
    public void Every_layer_pays_for_its_weights_exactly_so_that_a_hostile_file_can_claim_none(string name)
    {
        var row = LayerTable.Find(name);
        // a module of TorchSharp or of a user, and what a fitted layer learned, are not made by a checkpoint's options
        if (name is "affine, any module as conditioner" or "standardization" or "residual, any module with a bound"
                or "continuous, on spheres, any module"
                || name.Contains("a masked network of the user's", StringComparison.Ordinal))
            return;
        long elements, tensors;
        using (var layer = row.Make())
        {
            var state = layer.state_dict().Values;
            (elements, tensors) = (state.Sum(t => t.numel()), state.Count);
        }
        if (tensors == 0) return;
        var make = () => { using var layer = row.Make(); };
        Within(elements, tensors).Should().NotThrow();
        Within(elements - 1, tensors).Should().Throw<InvalidDataException>();
        Within(elements, tensors - 1).Should().Throw<InvalidDataException>();

        Action Within(long e, long t) => () =>
        {
            using var budget = Internal.Weights.Limit(e, t, long.MaxValue);
            try { make(); }
            catch { Internal.Weights.Abandon(); throw; }
        };
    }
}
