using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's layer: z = sinh(exp(a) x) feature by feature.</summary>
public sealed class SinhLayer : Bijection
{
    private readonly Parameter a;

    public SinhLayer(long features) : base(nameof(SinhLayer), [features])
    {
        a = new Parameter(zeros(features));
        RegisterComponents();
    }

    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var u = (a.exp() * x).clamp(-30, 30);
        return (u.sinh(), SumExamples(u.cosh().log() + a));
    }

    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var u = z.asinh();
        return (u / a.exp(), SumExamples(-(u.cosh().log() + a)));
    }
}

/// <summary>A user's density: independent Laplace variables.</summary>
public sealed class Laplace : Density
{
    public Laplace(EventShape shape) : base(nameof(Laplace), shape) => RegisterComponents();

    protected override Tensor LogProbCore(Tensor z, Tensor? context) => (-z.abs() - Math.Log(2)).flatten(1).sum(1);

    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        var u = Noise.Uniform(Shape.WithBatch(count), dtype, device, generator, -0.5, 0.5);
        return (u.sign() * (1 - (2 * u.abs())).clamp_min(1e-30).log() * -temperature);
    }
}

/// <summary>A user's dequantization: whole numbers 0 ... levels − 1 to (0, 1).</summary>
public sealed class TriangleDequantization : Bijection
{
    private readonly int levels;

    public TriangleDequantization(int levels) : base(nameof(TriangleDequantization))
    {
        this.levels = levels;
        RegisterComponents();
    }

    public override bool IsStochastic => true;

    public override Likelihood Likelihood => Likelihood.LowerBound;

    public override bool Dequantizes => true;

    protected override void CheckData(Tensor x, string owner)
    {
        using var scope = NewDisposeScope();
        var values = x.to(float64);
        if (values.min().item<double>() < 0 || values.max().item<double>() > levels - 1 || values.ne(values.floor()).any().item<bool>())
            throw new ArgumentException($"{owner} expects whole numbers 0 ... {levels - 1}.", nameof(x));
    }

    // noise v in (0, 1) of the density min(4 v, 4 (1 − v))
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var v = (Noise.Uniform(x.shape, x.dtype, x.device, pass.Generator, 0.001, 0.999) + Noise.Uniform(x.shape, x.dtype, x.device,
            pass.Generator, 0.001, 0.999)) / 2;
        var logNoise = (4 * v.minimum(1 - v)).log();
        return ((x + v) / levels, SumExamples(-logNoise - Math.Log(levels)));
    }

    // the way back has no noise to count
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
        ((z * levels).floor().clamp(0, levels - 1), SumExamples(zeros_like(z) + Math.Log(levels)));
}

/// <summary>A user's normalization: takes the middle of the data away, once.</summary>
public sealed class Centring : Bijection, IFitsData
{
    private readonly Tensor middle, is_fitted;

    public Centring(long features) : base(nameof(Centring), [features])
    {
        middle = zeros(features).DetachFromDisposeScope();
        is_fitted = zeros([], ScalarType.Bool).DetachFromDisposeScope();
        RegisterComponents();
    }

    public bool IsFitted => is_fitted.item<bool>();

    public Tensor Middle => middle;

    public void Fit(IEnumerable<Tensor> batches)
    {
        long count = 0;
        using var sum = zeros_like(middle, dtype: float64);
        foreach (var batch in batches)
        {
            using var scope = NewDisposeScope();
            sum.add_(batch.to(float64).sum([0L]));
            count += batch.shape[0];
        }
        using var _ = no_grad();
        middle.copy_(sum / count);
        is_fitted.fill_(true);
    }

    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x - middle, null);

    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z + middle, null);
}

/// <summary>A user's encoder of contexts: an angle to its cosine and sine.</summary>
public sealed class AngleEncoder : ContextEncoder
{
    public AngleEncoder() : base(nameof(AngleEncoder), [], 2) => RegisterComponents();

    public override Tensor forward(Tensor angle) => stack([angle.cos(), angle.sin()], 1);
}

/// <summary>A user's network.</summary>
public sealed class OwnNetwork : nn.Module<Tensor, Tensor>
{
    private readonly Linear first, last;

    public OwnNetwork(long inputs, long outputs) : base(nameof(OwnNetwork))
    {
        first = nn.Linear(inputs, 16);
        last = nn.Linear(16, outputs);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => last.call(first.call(x).tanh()) * 0.1;
}
