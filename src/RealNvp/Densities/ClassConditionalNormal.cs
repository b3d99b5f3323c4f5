using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Independent normals with a learned mean and standard deviation for each class: the context is the class as
/// one-hot vector (N, K), such as a <see cref="LabelEncoder"/> gives (Glow, arXiv 1807.03039, and its code).
/// </summary>
/// <remarks>
/// <para>A context that is not one-hot mixes means and log σ linearly. |log σ| is limited to 16 in its effect.
/// State-dict keys: <c>means</c>, <c>log_scales</c> (K, D). Samples have gradients to the weights.</para>
/// <para>New means are drawn near 0: equal ones would get equal gradients at first, but classes part as soon as their data do.</para>
/// </remarks>
public sealed partial class ClassConditionalNormal : Density
{
    private readonly TorchSharp.Modules.Parameter means, log_scales;

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent.</param>
    /// <param name="classes">K, the number of classes, at least 1.</param>
    public ClassConditionalNormal(EventShape shape, long classes) : base(nameof(ClassConditionalNormal), shape)
    {
        Classes = Check.Positive(classes, nameof(classes), "The number of classes");
        var size = checked(classes * shape.NumElements);
        Weights.Pay(2 * size, 2);
        using var scope = NewDisposeScope();
        means = Weights.Parameter(Weights.Normal(classes, shape.NumElements).mul(Scalars.Of(0.05)));
        log_scales = Weights.Parameter(zeros(classes, shape.NumElements));
        RegisterComponents();
    }

    /// <summary>K, the number of classes.</summary>
    public long Classes { get; }

    /// <inheritdoc/>
    public override long ContextSize => Classes;

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Gaussian.LogProb(z.flatten(1), context!.mm(means), Gaussian.Limited(context.mm(log_scales))));
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        var scale = Gaussian.Limited(context!.mm(log_scales)).exp();
        return scope.MoveToOuter(Normals(count, temperature, dtype, device, generator).mul(scale).add(context!.mm(means),
            Scalars.One).reshape(Shape.WithBatch(count)));
    }
}
