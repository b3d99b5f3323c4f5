using System.Globalization;
using RealNvp.Describing;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Describing;

/// <summary>What flows, layers and networks print.</summary>
[LeavesNoTensors]
public class ModuleTreeTests
{
    [Fact]
    public void A_model_prints_as_a_tree_in_which_equal_layers_stand_once()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(4, rows: 500));
        Assert.Equal("""
            RealNvpModel (4,), 170,944 parameters, float32 on cpu
              bijection: Chain (4,), 170,940 parameters
                0: Standardization (4,), Scaling = Moments, IsFitted = False
                1-10: 10 times AffineCouplingLayer (4,), Mask = keeps 2 of 4, 17,094 parameters
                  conditioner: ResidualMlp (2,) -> (4,), 17,092 parameters
                  transformer: AffineTransformer, Order = ScaleThenShift, 2 parameters
              base_density: StudentT (4,), 4 parameters
            """.ReplaceLineEndings("\n"), flow.ToString());
    }

    [Theory]
    [MemberData(nameof(PresetTable.Names), MemberType = typeof(PresetTable))]
    public void The_tree_of_a_preset_names_each_kind_of_layer_and_counts_all_parameters(string name)
    {
        using var flow = PresetTable.All[name].NewModel();
        var text = flow.ToString();
        Assert.StartsWith($"{flow.GetName()} {flow.InputShape}", text, StringComparison.Ordinal);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{flow.parameters().Sum(p => p.numel()):N0} parameters"),
            text.Split('\n')[0], StringComparison.Ordinal);
        foreach (var (module, place) in flow.named_modules().Select(m => (m.module, m.name)).Where(m => m.module is Bijection))
            Assert.True(text.Contains($": {module.GetType().Name}", StringComparison.Ordinal)
                || text.Contains($"times {module.GetType().Name}", StringComparison.Ordinal)
                || text.Contains($"  {module.GetType().Name}", StringComparison.Ordinal), $"{place} of {text}");
        Assert.DoesNotContain("?", text, StringComparison.Ordinal);
        Assert.True(text.Split('\n').Length < 60, text);
    }

    [Theory]
    [MemberData(nameof(LayerTable.Names), MemberType = typeof(LayerTable))]
    public void Each_layer_prints_its_class_and_shape(string name)
    {
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        var first = layer.ToString().Split('\n')[0];
        Assert.StartsWith(layer.GetType().Name, first, StringComparison.Ordinal);
        if (layer.InputShape is { } shape) Assert.Contains(shape.ToString(), first, StringComparison.Ordinal);
    }

    [Fact]
    public void A_layer_of_the_users_prints_its_class_shape_properties_and_parameters_without_a_line_of_code()
    {
        using var layer = new Stretch([3], 2.5);
        Assert.Equal("Stretch (3,), Factor = 2.5, Axis = Second, 3 parameters", layer.ToString());
    }

    [Fact]
    public void A_layer_of_the_users_says_its_own_line()
    {
        using var layer = new Chain(new Spoken([3]), new Stretch([3], 1));
        Assert.Contains("0: Spoken (3,), by my own words, 3 parameters", layer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_property_that_throws_is_left_out_and_a_disposed_flow_says_so()
    {
        using var layer = new Broken();
        Assert.Equal("Broken (3,), 3 parameters", layer.ToString());
        var flow = new RealNvpModel(RealNvpOptions.Toy2D);
        flow.Dispose();
        Assert.Contains("disposed", flow.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_sequence_of_layers_that_is_repeated_stands_there_once()
    {
        using var flow = new GlowModel(GlowOptions.Digits8x8 with { Hidden = 4, Layers = 5 });
        Assert.Contains("1-15: 5 times", flow.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Frozen_parameters_are_counted()
    {
        using var layer = new Stretch([3], 1);
        layer.parameters().Single().requires_grad = false;
        Assert.EndsWith("3 parameters, frozen", layer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_of_the_users_has_one_line_in_a_layer()
    {
        using var layer = new AffineCouplingLayer([4], Mask.FirstHalf(4), nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4)));
        Assert.Contains("conditioner: Sequential, Count = 3, 60 parameters", layer.ToString(), StringComparison.Ordinal);
    }

    private enum Axis { First, Second }

    private class Stretch : Bijection
    {
        private readonly TorchSharp.Modules.Parameter weight;

        public Stretch(EventShape shape, double factor) : base(nameof(Stretch), shape)
        {
            Factor = factor;
            weight = nn.Parameter(zeros(shape.ToArray()));
            RegisterComponents();
        }

        public double Factor { get; }

        public Axis Axis { get; } = Axis.Second;

        public static int Static => 3;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(weight.exp()), weight.sum().expand(x.shape[0]));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.mul(weight.neg().exp()), weight.sum().neg().expand(z.shape[0]));
    }

    private sealed class Spoken(EventShape shape) : Stretch(shape, 3), IDescribed
    {
        public string Description => "by my own words";
    }

    private sealed class Broken() : Stretch([3], 3), IDescribed
    {
        public string Description => throw new InvalidOperationException("no words");
    }
}
