using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Independent Student's t variables with ν degrees of freedom: tails like |z|^(−ν−1), which keep outliers
/// from bending the flow (Jaini et al., arXiv 1907.04481; Alexanderson and Henter, arXiv 2008.12252).
/// </summary>
/// <remarks>
/// ν = exp(log_degrees) is learned for each element if asked for, and stays in 0.5 ... 10⁴. State-dict key:
/// <c>log_degrees</c> (D), a weight or a buffer. Samples have gradients to ν. A temperature scales them.
/// </remarks>
public sealed partial class StudentT : Density, IConstantBuffers, IStateLaws, IElementCdf
{
    private const double LeastUniform = 1e-16;

    // numbers that are done sooner one by one than by a dozen operations
    private const int MostFew = 1024;

    private static readonly Scalar least = Scalars.Of(StudentRows.Least), most = Scalars.Of(StudentRows.Most),
        halfLogPi = Scalars.Of(0.5 * Math.Log(Math.PI));
    private readonly Tensor log_degrees;

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent.</param>
    /// <param name="degreesOfFreedom">ν at first, in 0.5 ... 10⁴; 5 is robust, large values are nearly normal.</param>
    /// <param name="learned">Trains ν.</param>
    public StudentT(EventShape shape, double degreesOfFreedom = 5, bool learned = true) : base(nameof(StudentT), shape)
    {
        if (!(degreesOfFreedom is >= 0.5 and <= 1e4))
            throw new ArgumentOutOfRangeException(nameof(degreesOfFreedom), degreesOfFreedom,
                "The degrees of freedom must be in 0.5 ... 10000.");
        Weights.Pay(shape.NumElements, 1);
        using var scope = NewDisposeScope();
        var initial = full(shape.NumElements, Scalars.Of(Math.Log(degreesOfFreedom)));
        if (learned) log_degrees = Weights.Parameter(initial);
        else log_degrees = Weights.Buffer(initial);
        RegisterComponents();
    }

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var nu = Degrees;
        var half = nu.mul(Scalars.Half);
        var above = half.add(Scalars.Half, Scalars.One);
        var tail = Gaussian.LogOnePlusSquare(z.flatten(1).abs().mul(nu.sqrt().reciprocal()));
        var constant = above.lgamma().sub(half.lgamma()).sub(nu.log().mul(Scalars.Half)).sub(halfLogPi);
        return scope.MoveToOuter(constant.sub(above.mul(tail)).sum(1));
    }

    /// <inheritdoc/>
    public Tensor Cdf(Tensor z, Tensor? context)
    {
        CheckForCdf(z, context);
        using var scope = NewDisposeScope();
        var (values, degrees) = (z.FetchDoubles(), Degrees.FetchDoubles());
        for (var i = 0; i < values.Length; i++) values[i] = SpecialFunctions.StudentCdf(values[i], degrees[i % degrees.Length]);
        return scope.MoveToOuter(tensor(values, z.shape, device: CPU).to(z.dtype, z.device));
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        long[] size = [count, Shape.NumElements];
        // polar: cos θ √(ν (w^(−2/ν) − 1)), exact for every ν (Bailey, Mathematics of Computation 62, 1994)
        Tensor turns = Noise.Uniform(size, ScalarType.Float64, device, generator),
            uniform = Noise.Uniform(size, ScalarType.Float64, device, generator);
        if (FewOf(turns, uniform, temperature, dtype) is { } few) return scope.MoveToOuter(few.reshape(Shape.WithBatch(count)));
        var angle = turns.mul(Scalars.Of(2 * Math.PI));
        var logUniform = uniform.clamp_min(Scalars.Of(LeastUniform)).log();
        var nu = Degrees.to(float64);
        var z = angle.cos().mul(logUniform.mul(nu.reciprocal()).mul(Scalars.Of(-2)).expm1().mul(nu).sqrt());
        if (temperature != 1) z = z.mul(Scalars.Of(temperature));
        return scope.MoveToOuter(z.to(dtype).reshape(Shape.WithBatch(count)));
    }

    // the same of few numbers on the CPU without gradients; null if these are others
    private unsafe Tensor? FewOf(Tensor turns, Tensor uniform, double temperature, ScalarType dtype)
    {
        if (turns.device_type != DeviceType.CPU || turns.numel() is 0 or > MostFew || is_grad_enabled()
            || dtype is not (ScalarType.Float32 or ScalarType.Float64) || !turns.is_contiguous() || !uniform.is_contiguous()
            || !TryReadDegrees(out var logs)) return null;
        var angle = KernelMemory.Pointer<double>(turns);
        Polar(angle, KernelMemory.Pointer<double>(uniform), turns.numel(), logs, temperature, angle);
        return turns.to(dtype);
    }

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return log_degrees is TorchSharp.Modules.Parameter ? BufferLaws.Finite(state, nameof(log_degrees))
            : BufferLaws.Within(state, nameof(log_degrees), Math.Log(0.5) - 0.01, Math.Log(1e4) + 0.1);
    }

    private Tensor Degrees => log_degrees.clamp(least, most).exp();
}
