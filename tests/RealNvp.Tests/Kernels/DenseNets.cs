using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Networks for vectors with drawn weights, and what they give.</summary>
internal static class DenseNets
{
    public static readonly string[] Kinds = ["Mlp", "deep Mlp", "ResidualMlp", "Made", "plain Made"];

    public static Conditioner Create(string kind, int hidden, int context)
    {
        manual_seed(1);
        Conditioner net = kind switch
        {
            "Mlp" => new Mlp(5, 9, hidden, 2, context),
            "deep Mlp" => new Mlp(5, 9, hidden, 4, context),
            "ResidualMlp" => new ResidualMlp(5, 9, hidden, 2, context),
            "Made" => new Made(6, 2, new MadeOptions { Hidden = hidden, ContextSize = context, Order = [3, 1, 0, 2, 5, 4] }),
            _ => new Made(6, 2, new MadeOptions { Hidden = hidden, ContextSize = context, Residual = false }),
        };
        RandomWeights.Draw(net, seed: 7);
        return net;
    }

    public static long Outputs(Conditioner net) => net is Made ? 12 : 9;

    /// <summary>An input, a context or null, and a gradient of the output.</summary>
    public static (Tensor X, Tensor? Context, Tensor Gradient) Tensors(Conditioner net, int rows)
    {
        using var generator = new Generator(3);
        return (randn([rows, net is Made ? 6 : 5], generator: generator),
            net.ContextSize > 0 ? randn([rows, net.ContextSize], generator: generator) : null,
            randn([rows, Outputs(net)], generator: generator));
    }

    /// <summary>The output, then the gradients of input, context and parameters.</summary>
    public static Tensor[] Gradients(Conditioner net, Tensor x, Tensor? context, Tensor gradient)
    {
        net.zero_grad();
        var (input, given) = (x.detach().requires_grad_(), context?.detach().requires_grad_());
        var y = net.call(input, given);
        y.backward([gradient]);
        return [y.detach(), input.grad!, given is null ? zeros(0) : given.grad!, .. net.parameters().Select(p => p.grad!.clone())];
    }

    /// <summary>The largest difference, as a part of the largest number of all.</summary>
    public static double Difference(Tensor[] actual, Tensor[] expected)
    {
        using var scope = NewDisposeScope();
        var filled = actual.Zip(expected).Where(p => p.Second.numel() > 0).ToArray();
        var difference = filled.Max(p => (p.First.to(float64) - p.Second.to(float64)).abs().max().item<double>());
        return difference / filled.Max(p => p.Second.to(float64).abs().max().item<double>());
    }
}
