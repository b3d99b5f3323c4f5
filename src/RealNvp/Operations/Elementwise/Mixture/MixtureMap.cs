using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>logit of the distribution function of a mixture of logistics, and an affine map.</summary>
/// <param name="components">K.</param>
/// <param name="owner">The name that errors show.</param>
internal sealed class MixtureMap(int components, string owner) : ElementwiseMap
{
    // nanoseconds of a thread for one component of an element in float32; the search takes some eight steps in float64
    private const double ForwardCost = 10, BackwardCost = 14, RootCost = 100, Worth = 50_000;
    private readonly MixtureReference reference = new(components, owner);

    public override int Parameters => MixtureLimits.Parameters(components);

    // a component has three exponentials
    public override double Cost => 300 * components;

    public override (double Forward, double Backward) Grain => (Worth / (components * ForwardCost), Worth / (components * BackwardCost));

    public override bool IsOn => KernelSwitches.Mixture;

    public override ElementwiseCode RootCode { get; } = new MixtureRootCode(components);

    public override void CheckRoots(double residual) => reference.CheckResidual(residual);

    public override (Tensor Value, Tensor LogDerivative) Reference(Tensor input, Tensor parameters, Tensor? weight, bool inverse,
        Tensor? root = null) =>
        inverse ? reference.Inverse(input, parameters, root) : reference.Forward(input, parameters);

    /// <summary>The root, found in float64 and rounded to the dtype of y.</summary>
    /// <exception cref="InvalidOperationException">A root was not found.</exception>
    public override unsafe Tensor Root(Tensor y, Tensor parameters)
    {
        using var scope = NewDisposeScope();
        var (target, wide) = (y.to(ScalarType.Float64), parameters.to(ScalarType.Float64));
        Tensor root = empty(y.Sizes(), dtype: ScalarType.Float64, device: y.device),
            residual = empty(y.Sizes(), dtype: ScalarType.Float64, device: y.device);
        var rows = new ElementRows<double>(target);
        rows.Read(target, 1);
        rows.Read(wide, Parameters);
        rows.Write(root, 1);
        rows.Write(residual, 1);
        rows.Run(RootCode, inverse: false, gradient: false, Worth / (components * RootCost));
        if (residual.numel() > 0) reference.CheckResidual(residual.max().Fetch<double>());
        return scope.MoveToOuter(root.to(y.dtype));
    }

    protected override void Run<TLanes, T>(in ElementJob<T> job)
    {
        if (job.Gradient) job.Run<TLanes, MixtureGradient<TLanes, T>>(new(components, job.Inverse));
        else job.Run<TLanes, MixtureKernel<TLanes, T>>(new(components, job.Inverse));
    }
}
