using RealNvp.Onnx;
using RealNvp.Operations;
using RealNvp.Scoring;
using RealNvp.Tests.Few;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Kernels;
using RealNvp.Tests.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Densities;

/// <summary>Each density at numbers whose square is no number of the dtype, while half of it is: log p is finite there, however it is
/// computed.</summary>
public class DensityRangeTests
{
    // those without edges
    private static IEnumerable<DensityCase> Cases => DensityTable.All.Where(row => row.AtExtremes is null);

    public static TheoryData<string, ScalarType> Densities
    {
        get
        {
            var data = new TheoryData<string, ScalarType>();
            foreach (var row in Cases)
                foreach (var dtype in new[] { ScalarType.Float32, ScalarType.Float64 }) data.Add(row.Name, dtype);
            return data;
        }
    }

    public static TheoryData<string> Names => [.. Cases.Select(row => row.Name)];

    public static TheoryData<BaseDensityKind> Bases => [.. Enum.GetValues<BaseDensityKind>()
        .Where(kind => kind is not (BaseDensityKind.UniformBox or BaseDensityKind.UniformSphere))];

    [Theory, MemberData(nameof(Densities))]
    public void A_density_is_finite_where_half_of_the_square_is(string name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var density = DensityTable.Find(name).Make();
        density.to(dtype);
        density.eval();
        var (z, context) = (Far(dtype), Context(density, dtype));
        var logProb = density.LogProb(z, context);
        Finite(logProb, "by tensors");
        if (dtype != ScalarType.Float32) return;
        density.to(float64);
        var expected = density.LogProb(z.to(float64), context?.to(float64));
        logProb.to(float64).sub(expected).div(expected).abs().max().item<double>().Should().BeLessThan(1e-5);
    }

    [Theory, MemberData(nameof(Densities))]
    public void So_it_is_on_few_rows_and_in_a_loss(string name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        // a new coupling is the identity
        using var flow = new Flow([2], new Chain(new Permutation([2], [1, 0]),
            new AffineCouplingLayer([2], Mask.Alternating(2), size => new Mlp(size.Inputs, size.Outputs, 4))),
            DensityTable.Find(name).Make());
        flow.to(dtype);
        flow.eval();
        var (z, context) = (Far(dtype), Context(flow.BaseDensity, dtype));
        FewRows.IsKnown(flow, z, context).Should().Be(flow.BaseDensity is IRowDensity);
        Finite(flow.LogProb(z, context), "on few rows");
        using (KernelSwitch.Set(false, nameof(KernelSwitches.Rows))) Finite(flow.LogProb(z, context), "without kernels");
        // the mean of both rows; their sum may be none
        Finite(flow.NegativeLogLikelihood(z[..1], context?[..1]), "in a loss");
    }

    [Theory, MemberData(nameof(Names))]
    public void So_it_is_in_OnnxRuntime(string name)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(1);
        using var density = DensityTable.Find(name).Make();
        density.eval();
        var (z, context) = (Far(ScalarType.Float32), Context(density, ScalarType.Float32));
        var graph = new OnnxGraph("density");
        var value = graph.Input("z", [2]);
        graph.AddOutput("log_prob", density.ToOnnx(value, context is null ? null : graph.Input("context", [density.ContextSize]))
            .Expand([-1, 1], value));
        using var session = new OnnxSession(graph);
        Finite(session.Run(("z", z), ("context", context))["log_prob"], "in OnnxRuntime");
    }

    [Theory, MemberData(nameof(Bases))]
    public void So_it_is_in_a_scorer(BaseDensityKind kind)
    {
        using var scope = NewDisposeScope();
        // a new flow is the identity
        using var model = (RealNvpOptions.Toy2D with { Base = kind }).NewModel(seed: 0);
        using var file = new MemoryStream();
        model.Save(file);
        file.Position = 0;
        var logProb = new float[2];
        FlowScorer.Load(file).LogProb(Far(ScalarType.Float32).data<float>().ToArray(), logProb);
        logProb.Should().OnlyContain(v => float.IsFinite(v));
    }

    // (2, 2)
    private static Tensor Far(ScalarType dtype)
    {
        var far = 0.8 * Math.Sqrt(2) * Math.Sqrt(dtype == ScalarType.Float32 ? float.MaxValue : double.MaxValue);
        var z = tensor(new[,] { { far, 0 }, { 0, -far } }, dtype);
        z.square().isfinite().all().item<bool>().Should().BeFalse("the test is of such numbers");
        z.square().mul(0.5).isfinite().all().item<bool>().Should().BeFalse();
        z.mul(0.5).mul(z).isfinite().all().item<bool>().Should().BeTrue();
        return z;
    }

    private static Tensor? Context(Density density, ScalarType dtype) =>
        density.ContextSize == 0 ? null : eye(density.ContextSize, dtype: dtype)[..2];

    private static void Finite(Tensor logProb, string how) =>
        logProb.isfinite().all().item<bool>().Should().BeTrue("{0}: {1}", how, string.Join(", ", logProb.to(float64).data<double>()));
}
