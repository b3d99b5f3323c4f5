using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>y = (x + p·t)·exp(s) + q·t with s = a·tanh(r), or log σ(r + 2) without
/// a; p and q are 0 and 1, or 1 and 0 if the shift comes first.</summary>
/// <param name="shiftFirst">Whether the forward map adds t before it scales.</param>
/// <param name="weight">a, asked at each call, since a module may replace it; null for a scale by a sigmoid.</param>
internal sealed class AffineMap(bool shiftFirst, Func<Tensor>? weight) : ElementwiseMap
{
    private static readonly Scalar limit = Scalars.Of(AffineForm.MaxLogScale), minusLimit = Scalars.Of(-AffineForm.MaxLogScale),
        least = Scalars.Of(AffineForm.MinLogit);

    public override int Parameters => 2;

    public override double Cost => 40;

    public override (double Forward, double Backward) Grain => (1 << 13, 1 << 12);

    public override long LeastForGraph => 1 << 11;

    public override bool IsOn => KernelSwitches.Affine;

    public override Tensor? Weight => weight?.Invoke();

    public override (Tensor Value, Tensor LogDerivative) Reference(Tensor input, Tensor parameters, Tensor? weight, bool inverse,
        Tensor? root = null)
    {
        using var scope = NewDisposeScope();
        var half = parameters.size(1) / 2;
        Tensor raw = parameters.narrow(1, 0, half), shift = parameters.narrow(1, half, half);
        var s = weight is null ? nn.functional.logsigmoid(raw.add(Scalars.Two, Scalars.One).clamp_min(least))
            : weight.clamp(minusLimit, limit).mul(raw.tanh());
        var log = inverse ? s.neg() : s;
        var scale = log.exp();
        var value = (shiftFirst, inverse) switch
        {
            (false, false) => input.mul(scale).add(shift, Scalars.One),
            (true, false) => input.add(shift, Scalars.One).mul(scale),
            (false, true) => input.sub(shift).mul(scale),
            (true, true) => input.mul(scale).sub(shift),
        };
        return (scope.MoveToOuter(value), scope.MoveToOuter(log));
    }

    protected override void Run<TLanes, T>(in ElementJob<T> job)
    {
        var form = AffineForm.Of(weight is null, shiftFirst, job.Inverse);
        if (job.Gradient) job.Run<TLanes, AffineElementGradient<TLanes, T>>(new(form));
        else job.Run<TLanes, AffineElement<TLanes, T>>(new(form));
    }
}
