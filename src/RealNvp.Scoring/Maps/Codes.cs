using RealNvp.Kernels;

namespace RealNvp.Scoring.Maps;

/// <summary>Affine maps, values alone.</summary>
/// <param name="shiftFirst">Whether the forward map adds before it scales.</param>
internal sealed class AffineCode(bool shiftFirst) : ElementwiseCode
{
    public override int Parameters => 2;

    public override double Cost => 40;

    public override bool HasWeight => true;

    protected override void Run<TLanes, T>(in ElementJob<T> job) =>
        job.Run<TLanes, AffineElement<TLanes, T>>(new(AffineForm.Of(sigmoid: false, shiftFirst, job.Inverse)));
}

/// <summary>Rational-quadratic splines, values alone.</summary>
/// <param name="shape">Their numbers.</param>
internal sealed class SplineCode(SplineShape shape) : ElementwiseCode
{
    public override int Parameters => shape.Parameters;

    public override double Cost => 100 * shape.Bins;

    protected override void Run<TLanes, T>(in ElementJob<T> job) =>
        job.Run<TLanes, SplineKernel<TLanes, T>>(new(shape, job.Inverse, recorded: false));
}

/// <summary>Mixtures of logistics, values alone; inverse, the input is the root.</summary>
/// <param name="components">Their number.</param>
internal sealed class MixtureCode(int components) : ElementwiseCode
{
    public override int Parameters => MixtureLimits.Parameters(components);

    public override double Cost => 300 * components;

    protected override void Run<TLanes, T>(in ElementJob<T> job) =>
        job.Run<TLanes, MixtureKernel<TLanes, T>>(new(components, job.Inverse));
}
