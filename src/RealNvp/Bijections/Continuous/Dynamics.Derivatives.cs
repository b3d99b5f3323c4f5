using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Derivatives along x.</content>
public abstract partial class Dynamics
{
    // whether a backward pass through the velocity has been seen to work
    private volatile bool isDifferentiated;

    /// <summary>
    /// Whether <see cref="VelocityAndProducts"/> gives Jᵀv, the rows of backward passes, as
    /// autograd does; false if it gives Jv. vᵀJv and the mean of |Jv|² over random v are the same.
    /// </summary>
    protected internal virtual bool ProductsAreTransposed => true;

    /// <summary>
    /// Whether the divergence takes about the work of a few velocities however many elements an example has, and not that of D of them.
    /// </summary>
    protected internal virtual bool HasCheapDivergence => false;

    /// <summary>The velocity as a network that a kernel solves with; null if it is none.</summary>
    internal virtual Operations.DynamicsNetwork? Network => null;

    /// <summary>The velocity, and its exact divergence Σᵢ ∂vᵢ/∂xᵢ. By autograd
    /// unless overridden: D backward passes over one graph.</summary>
    /// <remarks>With gradients enabled the results have a graph, and can be differentiated again; without them nothing is kept.</remarks>
    /// <param name="t">(N).</param>
    /// <param name="x">(N, ...).</param>
    /// <param name="context">(N, C), or null.</param>
    /// <returns>The velocity (N, ...) and the divergence (N). The caller disposes both.</returns>
    protected internal virtual (Tensor Velocity, Tensor Divergence) VelocityAndDivergence(Tensor t, Tensor x, Tensor? context = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        var graph = new VelocityGraph(this, t, x, context);
        var divergence = zeros(x.size(0), dtype: x.dtype, device: x.device);
        var size = x.size(0) == 0 ? 0 : x.numel() / x.size(0);
        for (long i = 0; i < size; i++)
        {
            using var inside = NewDisposeScope();
            var unit = zeros(x.size(0), size, dtype: x.dtype, device: x.device);
            unit.select(1, i).fill_(Scalars.One);
            if (graph.Product(unit.reshape(x.shape)) is { } row)
                divergence = inside.MoveToOuter(divergence.add(row.flatten(1).select(1, i), Scalars.One));
        }
        return (scope.MoveToOuter(graph.Velocity), scope.MoveToOuter(divergence));
    }

    /// <summary>
    /// The velocity, and the products of its Jacobian J = ∂v/∂x with vectors: Jᵀv by autograd,
    /// one backward pass each, unless overridden (<see cref="ProductsAreTransposed"/>).
    /// </summary>
    /// <param name="t">(N).</param>
    /// <param name="x">(N, ...).</param>
    /// <param name="vectors">(K, N, ...), K vectors for each example.</param>
    /// <param name="context">(N, C), or null.</param>
    /// <returns>The velocity (N, ...) and the products (K, N, ...). The caller disposes both.</returns>
    protected internal virtual (Tensor Velocity, Tensor Products) VelocityAndProducts(Tensor t, Tensor x, Tensor vectors,
        Tensor? context = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(vectors);
        using var scope = NewDisposeScope();
        var graph = new VelocityGraph(this, t, x, context);
        var products = new Tensor[vectors.size(0)];
        for (var k = 0; k < products.Length; k++) products[k] = graph.Product(vectors.select(0, k)) ?? zeros_like(x);
        var all = products.Length == 0 ? zeros_like(vectors) : stack(products);
        return (scope.MoveToOuter(graph.Velocity), scope.MoveToOuter(all));
    }

    /// <summary>A velocity with a graph to x, for backward passes. Its tensors are the scope's.</summary>
    private sealed class VelocityGraph
    {
        private readonly Dynamics dynamics;
        private readonly bool keeps;
        private readonly Tensor leaf, velocity;

        public VelocityGraph(Dynamics dynamics, Tensor t, Tensor x, Tensor? context)
        {
            this.dynamics = dynamics;
            keeps = is_grad_enabled();
            using var mode = GradientMode.Enter();
            // a gradient of its own leaf reaches neither the weights nor the caller's
            // tensors, and x keeps its place in the graph for second derivatives
            leaf = zeros_like(x).requires_grad_(true);
            velocity = dynamics.Velocity(t, (keeps ? x : x.detach()).add(leaf, Scalars.One), context);
            Velocity = keeps ? velocity : velocity.detach();
        }

        public Tensor Velocity { get; }

        /// <summary>Jᵀv; null if the velocity does not depend on x.</summary>
        public Tensor? Product(Tensor vector)
        {
            if (!velocity.requires_grad) return null;
            using var mode = GradientMode.Enter();
            var product = keeps && dynamics.isDifferentiated ? WithGraph(vector) : Guarded(vector);
            if (!keeps || dynamics.isDifferentiated) return product;
            dynamics.isDifferentiated = true;
            product?.Dispose();
            return WithGraph(vector);
        }

        // autograd.grad would end the process on an error
        private Tensor? Guarded(Tensor vector)
        {
            autograd.backward([velocity], [vector], retain_graph: true, create_graph: false, inputs: [leaf]);
            Operations.KernelFault.Throw();
            var product = leaf.grad;
            leaf.grad = null;
            return product;
        }

        // backward would warn of a cycle, which a gradient with a graph makes with
        // its leaf; what has been differentiated once is differentiated again
        private Tensor? WithGraph(Tensor vector)
        {
#pragma warning disable RS0030
            var product = autograd.grad([velocity], [leaf], [vector], retain_graph: true, create_graph: true, allow_unused: true)[0];
#pragma warning restore RS0030
            Operations.KernelFault.Throw();
            return product.IsInvalid ? null : product;
        }
    }
}
