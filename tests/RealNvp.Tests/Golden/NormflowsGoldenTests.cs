using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our planar layers against those of normflows. Their maps from the base variable are our Forward.</summary>
[LeavesNoTensors]
public class NormflowsGoldenTests
{
    [Theory, InlineData("normflows_planar_tanh", PlanarActivation.Tanh), InlineData("normflows_planar_leaky_relu",
        PlanarActivation.LeakyRelu)]
    public void Planar_layers_equal_normflows(string folder, PlanarActivation activation)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(folder);
        var (x, total) = (golden["x"], zeros(16, dtype: float64));
        for (var i = 0; i < 4; i++)
        {
            using var layer = new PlanarLayer([3], activation);
            layer.to(float64);
            using (no_grad())
                foreach (var (key, tensor) in layer.state_dict()) tensor.copy_(golden[$"weights/layer{i}.{key}"].flatten());
            var (z, logDet) = layer.Forward(x);
            Close(z, golden[$"layer{i}/out"]);
            Close(logDet, golden[$"layer{i}/logabsdet"]);
            var (back, backLogDet) = layer.Inverse(golden[$"layer{i}/out"]);
            Close(back, x, 1e-12);
            Close(backLogDet, golden[$"layer{i}/logabsdet"].neg(), 1e-12);
            (x, total) = (z, total.add(logDet));
        }
        Close(x, golden["y"]);
        Close(total, golden["logabsdet"]);
    }

    private static void Close(Tensor ours, Tensor theirs, double tolerance = 1e-13)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }
}
