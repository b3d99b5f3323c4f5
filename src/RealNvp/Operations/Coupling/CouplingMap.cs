using RealNvp.Internal;
using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The elementwise map at the end of a fused coupling.</summary>
internal abstract class CouplingMap
{
    /// <summary>The learned numbers of the map, one in all or one a column; null where it has none.</summary>
    public virtual Tensor? Weight => null;

    /// <summary>The largest magnitude of those; beyond it they act as if they were at it.</summary>
    public virtual float MaxWeight => float.PositiveInfinity;

    /// <summary>Whether its kernel may run.</summary>
    public abstract bool IsOn { get; }

    /// <summary>What an element costs, in multiply-adds.</summary>
    public abstract double Cost { get; }

    /// <summary>Computes values and log-derivatives of a block, or its gradients.</summary>
    public void Run(in CouplingBlock block, bool inverse, bool gradient) => LaneWidth.Run<Code, float>(new Code(this, block, inverse, gradient));

    /// <summary>The same in plain operations, with the log-determinant. Runs in a dispose scope.</summary>
    public abstract (Tensor Value, Tensor LogDet) Plain(Tensor input, Tensor parameters, Tensor? weight, bool inverse);

    /// <summary><see cref="Run(in CouplingBlock, bool, bool)"/> with vectors of one width.</summary>
    protected abstract void Run<TLanes>(in CouplingBlock block, bool inverse, bool gradient) where TLanes : struct, ILanes<TLanes, float>;

    private readonly struct Code(CouplingMap map, in CouplingBlock block, bool inverse, bool gradient) : ILaneCode<float>
    {
        private readonly CouplingBlock block = block;

        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float> => map.Run<TLanes>(block, inverse, gradient);
    }
}

/// <summary>The affine maps.</summary>
/// <param name="shiftFirst">Whether the forward map adds before it scales.</param>
/// <param name="weight">a, or null for a scale by a sigmoid.</param>
/// <param name="plain">The map in plain operations.</param>
internal sealed unsafe class AffineCouplingMap(bool shiftFirst, Func<Tensor>? weight, Func<Tensor, Tensor, Tensor?, bool, (Tensor, Tensor)> plain) : CouplingMap
{
    public override Tensor? Weight => weight?.Invoke();

    public override float MaxWeight => (float)AffineForm.MaxLogScale;

    public override bool IsOn => KernelSwitches.Affine;

    public override double Cost => 40;

    public override (Tensor Value, Tensor LogDet) Plain(Tensor input, Tensor parameters, Tensor? weight, bool inverse) => plain(input, parameters, weight, inverse);

    protected override void Run<TLanes>(in CouplingBlock b, bool inverse, bool gradient)
    {
        var form = AffineForm.Of(weight is null, shiftFirst, inverse);
        var (input, parameters) = (b.In(b.Input), b.Parameters(b.Raw, 2, output: false));
        if (!gradient)
        {
            var (value, logDerivative) = (b.Out(b.Value), b.Out(b.LogDerivative));
            ElementTiles<TLanes, float, AffineElement<TLanes>>.Run(new(form), weight is null
                ? [input, parameters, value, logDerivative]
                : [input, parameters, CouplingBlock.ByColumn(b.Weight), value, logDerivative], b.Columns, 0, b.Rows);
            return;
        }
        var (ofValue, ofLogDet, ofInput, ofParameters) = (b.In(b.OfValue), CouplingBlock.ByRow(b.OfLogDet, b.OfLogDetRow), b.Out(b.OfInput), b.Parameters(b.OfRaw, 2, output: true));
        ElementTiles<TLanes, float, AffineElementGradient<TLanes>>.Run(new(form), weight is null
            ? [input, parameters, ofValue, ofLogDet, ofInput, ofParameters]
            : [input, parameters, CouplingBlock.ByColumn(b.Weight), ofValue, ofLogDet, ofInput, ofParameters, b.Out(b.OfWeight)], b.Columns, 0, b.Rows);
    }
}

/// <summary>The splines.</summary>
internal sealed unsafe class SplineCouplingMap(SplineTwin twin) : CouplingMap
{
    public override bool IsOn => KernelSwitches.Spline;

    // an exponential of each bin and axis, with what surrounds it
    public override double Cost => 100 * twin.Shape.Bins;

    public override (Tensor Value, Tensor LogDet) Plain(Tensor input, Tensor parameters, Tensor? weight, bool inverse)
    {
        var (value, logDerivative) = twin.Apply(input, parameters, inverse);
        return (value, Batch.SumExamples(logDerivative));
    }

    protected override void Run<TLanes>(in CouplingBlock b, bool inverse, bool gradient)
    {
        var (input, parameters) = (b.In(b.Input), b.Parameters(b.Raw, twin.Shape.Parameters, output: false));
        if (gradient)
            ElementTiles<TLanes, float, SplineGradient<TLanes, float>>.Run(new(twin.Shape, inverse),
                [input, parameters, b.In(b.OfValue), CouplingBlock.ByRow(b.OfLogDet, b.OfLogDetRow), b.Out(b.OfInput), b.Parameters(b.OfRaw, twin.Shape.Parameters, output: true)], b.Columns, 0, b.Rows);
        else
            ElementTiles<TLanes, float, SplineKernel<TLanes, float>>.Run(new(twin.Shape, inverse), [input, parameters, b.Out(b.Value), b.Out(b.LogDerivative)], b.Columns, 0, b.Rows);
    }
}
