using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>
/// The gradients that a walk back through the steps gathers: of the state (N, M), of what each
/// example has of its own, and of the parameters, which gather in their own <c>grad</c> meanwhile.
/// </summary>
internal sealed class OdeGradients : IDisposable
{
    private readonly IReadOnlyList<Tensor> parameters;
    private readonly Tensor?[] before;

    public OdeGradients(Tensor state, IReadOnlyList<Tensor> given, IReadOnlyList<Tensor> parameters)
    {
        State = state.clone();
        Given = [.. given.Select(g => g.requires_grad ? zeros_like(g, requires_grad: false) : null)];
        this.parameters = [.. parameters.Where(p => p.requires_grad)];
        // autograd.grad would end the process on an error, so the gradients go through grad, whose own values are put back
        before = [.. this.parameters.Select(p => p.grad)];
        foreach (var parameter in this.parameters) parameter.grad = null;
    }

    /// <summary>The gradient of the state (N, M), changed in place.</summary>
    public Tensor State { get; }

    /// <summary>Those of what each example has of its own; null if it asks for none.</summary>
    public Tensor?[] Given { get; }

    /// <summary>The gradients of all parameters, null for one that has none.</summary>
    public static Tensor?[] OfParameters(IReadOnlyList<Tensor> all) => [.. all.Select(p => p.requires_grad ? p.grad : null)];

    /// <summary>Adds the gradients of Σ cotangent · value(leaves), and gives those of the first leaves.</summary>
    /// <param name="index">Which examples these are.</param>
    /// <param name="given">What each of them has of its own, all examples of it.</param>
    /// <param name="leaves">States that the value depends on.</param>
    /// <param name="cotangents">One for each value.</param>
    /// <param name="values">Computes the values from leaves and what each example has.</param>
    public Tensor[] Through(Tensor index, IReadOnlyList<Tensor> given, IReadOnlyList<Tensor> leaves, IReadOnlyList<Tensor> cotangents,
        Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> values)
    {
        using var scope = NewDisposeScope();
        using var mode = enable_grad();
        var own = given.Select((g, i) => g.detach().index_select(0, index).requires_grad_(Given[i] is not null))
            .ToArray();
        var points = leaves.Select(l => l.detach().requires_grad_(true)).ToArray();
        var found = values(points, own);
        var (roots, slopes) = (new List<Tensor>(), new List<Tensor>());
        for (var i = 0; i < found.Count; i++)
        {
            if (!found[i].requires_grad) continue;
            roots.Add(found[i]);
            slopes.Add(cotangents[i]);
        }
        if (roots.Count > 0) autograd.backward(roots, slopes, false, false, [.. points, .. own.Where(o => o.requires_grad), .. parameters]);
        KernelFault.Throw();
        for (var i = 0; i < own.Length; i++)
            if (own[i].requires_grad && own[i].grad is { } slope) Given[i]!.index_add_(0, index, slope, Scalars.One);
        return [.. points.Select(p => scope.MoveToOuter(p.grad ?? zeros_like(p, requires_grad: false)))];
    }

    public void Dispose()
    {
        for (var i = 0; i < parameters.Count; i++) parameters[i].grad = before[i];
    }
}
