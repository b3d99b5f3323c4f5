using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// An elementwise invertible map y = τ(x; θ) whose parameters θ come from a conditioner. Coupling layers apply one to the
/// variables that their mask transforms.
/// </summary>
/// <remarks>
/// The parameters of a batch x of shape (N, C, ...) have shape (N, P·C, ...), where P is <see cref="ParametersPerElement"/>.
/// Parameters that are all 0 give the identity: a coupling whose conditioner ends in zeros starts as the identity, and a dense mask
/// keeps a variable by setting its parameters to 0.
/// </remarks>
public abstract partial class ScalarTransformer : nn.Module, IDescribed
{
    /// <summary>Names the transformer for errors.</summary>
    protected ScalarTransformer(string name) : base(TorchBackend.Checked(name)) { }

    /// <summary>P, the number of parameters of one element.</summary>
    public abstract int ParametersPerElement { get; }

    /// <summary>
    /// Whether parameters that are all 0 give x and 0 to the last bit. Where it is false, a coupling with a dense mask puts back what the
    /// mask keeps, which costs it a pass over memory.
    /// </summary>
    public virtual bool IsIdentityAtZeroExactly => true;

    /// <summary>Computes y = τ(x; θ) and log|dy/dx| of every element, or null if that is 0 everywhere.</summary>
    /// <param name="x">(N, C, ...).</param>
    /// <param name="parameters">(N, P·C, ...).</param>
    /// <returns>Two tensors of the shape of x. The caller disposes them.</returns>
    public abstract (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters);

    /// <summary>Computes x = τ⁻¹(y; θ) and log|dx/dy| of every element, or null if that is 0 everywhere.</summary>
    /// <param name="y">(N, C, ...).</param>
    /// <param name="parameters">(N, P·C, ...).</param>
    /// <returns>Two tensors of the shape of y. The caller disposes them.</returns>
    public abstract (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters);

    /// <summary>
    /// Whether the inverse is computed as exactly as the map, and about as fast. Where it is a
    /// search, reversible training keeps the input of a coupling instead of rebuilding it.
    /// </summary>
    public virtual bool HasExactInverse => true;

    /// <summary>Throws if the map does not fit the elements of an example, as one with weights
    /// for three features does not fit two. Layers call it when they are built.</summary>
    /// <param name="shape">The shape of what is transformed, [C, ...]; -1 is any size.</param>
    /// <exception cref="ArgumentException">What the map is for, and what it got.</exception>
    public virtual void CheckShape(EventShape shape) { }

    /// <summary>The circle that the map takes onto itself, for any parameters; null for a map of the line.</summary>
    /// <param name="feature">The channel or feature among those that are transformed, from 0; also that of the result.</param>
    public virtual Circle? CircleOf(int feature) => null;

    /// <summary>The map of one channel or feature alone: this one, unless features have
    /// maps of their own. It takes the first parameters, if it takes fewer.</summary>
    /// <param name="feature">The channel or feature among those that are transformed, from 0.</param>
    public virtual ScalarTransformer ForFeature(int feature) => this;

    /// <summary>The map as a tree of its parts, each with its class, shapes, properties and number
    /// of parameters; <see cref="IDescribed"/> lets a part say it in its own words.</summary>
    public override string ToString() => Describing.ModuleTree.Of(this);

    bool IDescribed.ShowsParts => true;

    /// <summary>The map as kernels know it; null if there is none. All that follows from it is here.</summary>
    internal virtual ElementwiseMap? Map => null;

    /// <summary>One of the maps with its log-determinant (N), the sum of log-derivatives
    /// over an example; null if that is 0. Runs inside a dispose scope.</summary>
    internal virtual (Tensor Value, Tensor? LogDet) Transform(Tensor input, Tensor parameters, bool inverse)
    {
        if (Map is { } map && !Broadcasts(input, parameters))
            return ElementwiseOperation.Apply(new(map, inverse, Sums: true), input, parameters);
        var (value, logDerivative) = inverse ? Inverse(input, parameters) : Forward(input, parameters);
        return (value, logDerivative is null ? null : Batch.SumExamples(logDerivative));
    }

    /// <summary>
    /// One step of a backward pass that has only the output of the map, or of its inverse: the input, and the gradients of input and
    /// parameters; null if that takes a graph. Gradients of the transformer's own weights go to the step. Runs without gradients.
    /// </summary>
    internal virtual (Tensor Input, Tensor Gradient, Tensor Parameters)? StepBack(BackwardStep step, Tensor output, Tensor parameters,
        Tensor gradient, bool inverse)
    {
        if (Map is not { } map || !ElementwiseOperation.CanStepBack(map, output, parameters, inverse)) return null;
        var (input, ofInput, ofParameters, ofWeight) = ElementwiseOperation.StepBack(map, output, parameters, gradient, step.LogDetGradient,
            inverse);
        if (ofWeight is not null) step.AddGradient(map.Weight!, ofWeight);
        return (input, ofInput, ofParameters);
    }

    /// <summary>Forward and Inverse of a transformer that has a <see cref="Map"/>.</summary>
    private protected (Tensor Value, Tensor LogDerivative) Apply(Tensor input, string parameter, Tensor parameters, bool inverse)
    {
        CheckParameters(input, parameter, parameters);
        var call = new ElementwiseCall(Map!, inverse, Sums: false);
        if (!Broadcasts(input, parameters)) return ElementwiseOperation.Apply(call, input, parameters);
        // one set of parameters for each element
        using var scope = NewDisposeScope();
        var (value, logDerivative) = ElementwiseOperation.Apply(call, input,
            parameters.expand([input.shape[0], parameters.shape[1], .. input.shape[2..]]).contiguous());
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDerivative));
    }

    /// <summary>Checks the arguments of <see cref="Forward(Tensor, Tensor)"/> and <see cref="Inverse(Tensor, Tensor)"/>:
    /// shapes, dtypes, devices, and P parameters for each channel or feature.</summary>
    private protected void CheckParameters(Tensor? input, string parameter, Tensor? parameters) =>
        Internal.Check.Elements(input, parameter, parameters, ParametersPerElement, GetName());

    /// <summary>Whether parameters have a size of 1 that stands for all examples or places, which a kernel does not read.</summary>
    private static bool Broadcasts(Tensor input, Tensor parameters)
    {
        var (shape, given) = (input.shape, parameters.shape);
        return given[0] != shape[0] || !given.AsSpan(2).SequenceEqual(shape.AsSpan(2));
    }
}
