using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A rational-quadratic spline.</summary>
internal sealed class SplineMap(SplineShape shape) : ElementwiseMap
{
    // nanoseconds of a thread for one of the 2 K exponentials of an element, with what surrounds it
    private const double ForwardCost = 0.5, BackwardCost = 0.8, Worth = 50_000;
    private readonly SplineReference reference = new(shape);

    public override int Parameters => shape.Parameters;

    // an exponential of each bin and axis, with what surrounds it
    public override double Cost => 100 * shape.Bins;

    public override (double Forward, double Backward) Grain =>
        (Worth / (2 * shape.Bins * ForwardCost), Worth / (2 * shape.Bins * BackwardCost));

    public override bool Records => shape.Records;

    public override bool IsOn => KernelSwitches.Spline;

    public override (Tensor Value, Tensor LogDerivative) Reference(Tensor input, Tensor parameters, Tensor? weight, bool inverse,
        Tensor? root = null) =>
        reference.Apply(input, parameters, inverse);

    protected override void Run<TLanes, T>(in ElementJob<T> job)
    {
        if (job.Gradient) job.Run<TLanes, SplineGradient<TLanes, T>>(new(shape, job.Inverse, job.Recorded));
        else job.Run<TLanes, SplineKernel<TLanes, T>>(new(shape, job.Inverse, job.Recorded));
    }
}
