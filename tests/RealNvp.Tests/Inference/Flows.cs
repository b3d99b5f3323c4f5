using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Inference;

/// <summary>Flows and densities whose normalizers and divergences are known.</summary>
internal static class Flows
{
    public static readonly double LogTwoPi = Math.Log(2 * Math.PI);

    /// <summary>A small Real NVP in evaluation mode, in float64 unless said otherwise, whose random weights the seed gives.</summary>
    public static RealNvpModel Random(int seed, long context = 0, ScalarType dtype = ScalarType.Float64, long features = 2,
        bool batchNorm = false)
    {
        var model = new RealNvpModel(RealNvpOptions.Toy2D with { Shape = [features], Layers = 2, Hidden = 4, Blocks = 1,
            ContextSize = context, FlowBatchNorm = batchNorm }, seed);
        model.to(dtype);
        RandomWeights.Draw(model, seed);
        model.eval();
        return model;
    }

    /// <summary>The same flow again, with frozen weights: a density that is known only by its values and its gradient.</summary>
    public static RealNvpModel Frozen(RealNvpModel flow)
    {
        var copy = new RealNvpModel(flow.Options, seed: 0);
        copy.to(flow.parameters().First().dtype);
        copy.load_state_dict(flow.state_dict());
        foreach (var parameter in copy.parameters()) parameter.requires_grad = false;
        copy.eval();
        return copy;
    }

    /// <summary>A normal with mean 0 and the given standard deviation in
    /// each of its dimensions: one scaling of a standard normal.</summary>
    public static Flow Normal(double deviation, long features = 1)
    {
        var flow = new Flow([features], new DiagonalScaling([features]));
        flow.to(float64);
        using var gradients = no_grad();
        flow.parameters().Single().fill_(-Math.Log(deviation));
        flow.eval();
        return flow;
    }

    /// <summary>log N(x; mean, deviation² I), shape (N).</summary>
    public static Tensor LogNormal(Tensor x, double mean, double deviation)
    {
        var u = x.sub(mean).div(deviation);
        return u.mul(u).sum(1).mul(-0.5).sub(x.shape[1] * (Math.Log(deviation) + (0.5 * LogTwoPi)));
    }

    /// <summary>All gradients one after the other, and then none.</summary>
    public static double[] TakeGradients(nn.Module module)
    {
        using var scope = NewDisposeScope();
        var values = module.parameters().SelectMany(p => p.grad is { } g ? g.to(float64).cpu().data<double>().ToArray()
            : new double[p.numel()]).ToArray();
        foreach (var parameter in module.parameters()) parameter.grad = null;
        return values;
    }
}
