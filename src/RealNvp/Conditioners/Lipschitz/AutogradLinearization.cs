using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Any module by autograd: one vector-Jacobian product is one backward pass through its graph.</summary>
internal sealed class AutogradLinearization : Linearization
{
    private readonly Tensor leaf, output;
    private readonly bool graph;

    public AutogradLinearization(NetworkCall network, Tensor x, Tensor? context)
    {
        graph = is_grad_enabled();
        using var gradients = enable_grad();
        // a view ends the search for paths here, and keeps the way on to what is before
        leaf = graph && x.requires_grad ? x.view_as(x) : x.detach().requires_grad_(true);
        output = network.Run(leaf, graph ? context : context?.detach());
        Value = graph ? output : output.detach();
    }

    /// <inheritdoc/>
    public override Tensor Value { get; }

    /// <inheritdoc/>
    public override Tensor Pull(Tensor v) => Pull(v, graph && is_grad_enabled());

    /// <inheritdoc/>
    public override Tensor Between(Tensor v, Tensor t)
    {
        using var gradients = enable_grad();
        return Batch.SumExamples(Pull(v, keepsGraph: true).mul(t));
    }

    /// <inheritdoc/>
    public override Tensor Jacobian()
    {
        var (n, d) = (leaf.shape[0], leaf.numel() / Math.Max(1, leaf.shape[0]));
        var rows = new List<Tensor>();
        for (long i = 0; i < d; i++)
        {
            var unit = zeros([n, d], dtype: output.dtype, device: output.device);
            unit.narrow(1, i, 1).fill_(Scalars.One);
            rows.Add(Pull(unit.reshape(output.shape)).reshape(n, 1, d));
        }
        return cat(rows, 1);
    }

    // The layer has tried the network, forwards and backwards, when it was built: a grad that fails ends the process.
    private Tensor Pull(Tensor v, bool keepsGraph)
    {
        if (!output.requires_grad) return zeros_like(leaf, requires_grad: false);
#pragma warning disable RS0030
        var found = autograd.grad([output], [leaf], [v], retain_graph: true, create_graph: keepsGraph, allow_unused: true)[0];
#pragma warning restore RS0030
        return found.IsInvalid ? zeros_like(leaf, requires_grad: false) : found;
    }
}
