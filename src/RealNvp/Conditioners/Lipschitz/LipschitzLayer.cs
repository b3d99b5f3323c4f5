using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A linear map with a bias whose weight is scaled down where its induced norm is above
/// a coefficient c: W·min(1, c/‖W‖), so that |Wx − Wy| ≤ c·|x − y| whatever is learned.</summary>
/// <remarks>
/// <para>‖W‖ is the largest |Wx| in the norm <see cref="Codomain"/> over |x| in the norm <see cref="Domain"/>: from 2 to 2, the
/// largest singular value of the map on inputs of the real size, by power iteration (arXiv 1811.00995, section 2.1; arXiv
/// 1906.02735, appendix D). Power iteration comes from below: it goes on until the residual of the vectors, |Wv − |Wᵀu|·u|, is at most
/// <see cref="Tolerance"/> of what it found, which is within that of a singular value: of the largest one, unless the vectors came to rest
/// at another. A training pass begins where the one before has ended: it takes one step, and 200 at most if the weight has changed by so
/// much that one is not enough; what it found is in the buffers u and v. If the vectors are far off, as in the first pass, a layer
/// with up to 384 inputs or outputs finds the largest singular value to all digits. In evaluation the singular value is
/// found anew if the weight is another one, and the buffers stay as they are: to all digits with up to 384 inputs or outputs, and with
/// more of them to a residual of 1e-7, or as far as 2,000 steps come. The gradient is that of the weight that is used, the last step of
/// power iteration included.</para>
/// <para>State-dict keys: <c>weight</c>, <c>bias</c>, and for the 2-norm <c>u</c>,
/// <c>v</c>: singular vectors of the outputs and the inputs, as vectors.</para>
/// </remarks>
public abstract class LipschitzLayer : nn.Module<Tensor, Tensor>, ILipschitz, IStateLaws
{
    private const int MostSteps = 200, StepsOnDevice = 5;

    private readonly TorchSharp.Modules.Parameter weight;
    private readonly TorchSharp.Modules.Parameter? bias;
    private readonly Tensor? u, v;
    private readonly SpectralCache cache = new();

    private protected LipschitzLayer(string name, long[] size, long outputs, long inputs, (bool Has, long Size) bias, bool zero,
        double coefficient, double domain, double codomain)
        : base(TorchBackend.Checked(name))
    {
        if (!(coefficient > 0 && coefficient < 1))
            throw new ArgumentOutOfRangeException(nameof(coefficient), coefficient,
                "The coefficient must be above 0 and below 1: the largest factor between two inputs' distance and that of their outputs.");
        InducedNorm.Check(domain, codomain);
        (Coefficient, Domain, Codomain) = (coefficient, domain, codomain);
        var spectral = InducedNorm.IsSpectral(domain, codomain);
        var elements = size.Aggregate((Int128)1, (a, b) => a * b);
        Weights.Pay(elements + (bias.Has ? bias.Size : 0) + (spectral ? outputs + inputs : 0), 1 + (bias.Has ? 1 : 0) + (spectral ? 2 : 0));
        using var scope = NewDisposeScope();
        var bound = 1 / Math.Sqrt((double)(elements / size[0]));
        weight = Weights.Parameter(zero ? zeros(size) : Weights.Uniform(bound, size));
        if (bias.Has) this.bias = Weights.Parameter(zero ? zeros(bias.Size) : Weights.Uniform(bound, bias.Size));
        if (!spectral) return;
        u = Weights.Buffer(Unit(Weights.Normal(outputs)));
        v = Weights.Buffer(Unit(Weights.Normal(inputs)));
    }

    /// <summary>The largest residual of the singular vectors with which training goes on, as a part of the singular
    /// value that they give: 0.001. That value is no farther from a singular value of the weight.</summary>
    public const double Tolerance = 1e-3;

    /// <summary>c, the largest norm of the weight that is used.</summary>
    public double Coefficient { get; }

    /// <summary>p of the norm of inputs: 2, or 1, or infinity.</summary>
    public double Domain { get; }

    /// <summary>q of the norm of outputs.</summary>
    public double Codomain { get; }

    /// <summary>c.</summary>
    public double LipschitzBound => Coefficient;

    /// <summary>The weight as it is learned.</summary>
    internal Tensor Weight => weight;

    /// <summary>The bias, or null.</summary>
    internal Tensor? Bias => bias;

    /// <summary>Whether <see cref="Times"/> is a product with the weight itself, as a matrix.</summary>
    private protected abstract bool IsMatrix { get; }

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return BufferLaws.First(BufferLaws.Finite(state, "u"), BufferLaws.Finite(state, "v"));
    }

    /// <summary>The weight that is used, with a graph if gradients are on. Takes a step
    /// of the power iteration in training. Runs in the caller's scope.</summary>
    /// <param name="isStep">False leaves power iteration where it is.</param>
    internal Tensor Normalized(bool isStep = true)
    {
        var norm = InducedNorm.IsSpectral(Domain, Codomain) ? SingularValue(isStep) : Norm(weight);
        return weight.div(norm.div(Scalars.Of(Coefficient)).clamp_min(Scalars.One));
    }

    /// <summary>Whether <see cref="Pair"/> can be asked: the norm is a singular value of a matrix in memory.</summary>
    internal bool HasPair => IsMatrix && InducedNorm.IsSpectral(Domain, Codomain) && SpectralNorm.CanRun(weight, u!, v!);

    /// <summary>The largest singular value, as <see cref="Normalized"/> takes it, for a kernel that normalizes by itself.</summary>
    /// <param name="isStep">False leaves power iteration where it is.</param>
    /// <param name="vectors">Whether gradients need the vectors.</param>
    internal SpectralPair Pair(bool isStep, bool vectors)
    {
        if (training) return isStep ? NextPair() : SpectralNorm.Of(weight, u!, v!, Coefficient, vectors);
        var (left, right) = cache.Of(weight, u!, v!, Converged);
        return SpectralNorm.Of(weight, left, right, Coefficient, vectors);
    }

    /// <summary>W x of rows (N, ...), without the bias.</summary>
    internal abstract Tensor Times(Tensor x, Tensor weight);

    /// <summary>Wᵀ y of rows (N, ...).</summary>
    internal abstract Tensor TimesTransposed(Tensor y, Tensor weight);

    /// <summary>The output of rows (N, ...).</summary>
    internal abstract Tensor Apply(Tensor x, Tensor weight);

    /// <summary>An induced norm with a closed form.</summary>
    private protected abstract Tensor Norm(Tensor weight);

    /// <summary>Rows of vectors (N, inputs) in the form that <see cref="Times"/> takes.</summary>
    private protected abstract Tensor AsInput(Tensor rows);

    /// <summary>Rows of vectors (N, outputs) in the form that <see cref="TimesTransposed"/> takes.</summary>
    private protected abstract Tensor AsOutput(Tensor rows);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) cache.Clear();
        base.Dispose(disposing);
    }

    // in evaluation u·Wv, whose gradient is that of the singular value: the change of the vectors is of the second order.
    // In training, the value of one step from a given vector, which is a function of the weight with an exact gradient
    private Tensor SingularValue(bool isStep)
    {
        if (!training)
        {
            var (left, right) = cache.Of(weight, u!, v!, Converged);
            return Along(left, right);
        }
        // the buffers may change before the gradients are asked for
        if (!isStep) return Along(u!.clone(), v!.clone());
        var start = Tape is { IsReplaying: true } tape ? tape.Read(this, 1)[0].clone() : Approach();
        var map = Operator(weight);
        var (value, up, next) = PowerIteration.Value(map.TimesTransposed(start.unsqueeze(0)).squeeze(0),
            v => map.Times(v.unsqueeze(0)).squeeze(0));
        if (Tape is not { IsReplaying: true })
        {
            Tape?.Write(this, start.clone());
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            u!.copy_(PowerIteration.Unit(up.detach(), start));
            v!.copy_(PowerIteration.Unit(next.detach(), v));
        }
        return value;
    }

    // computed again, a pass steps from where it stepped before, and leaves the buffers as they are
    private static PassTape? Tape => PassState.Current?.Tape;

    private Tensor Along(Tensor left, Tensor right) => IsMatrix
        ? weight.reshape(weight.shape[0], -1).mv(right).dot(left)
        : Times(AsInput(right.unsqueeze(0)), weight).flatten().dot(left);

    // without an operation of torch, unless the layer is new or a pass is recorded
    private SpectralPair NextPair()
    {
        var tape = Tape;
        if (tape is { IsReplaying: true }) return Again(tape);
        cache.Clear();
        var (pair, wasFar) = SpectralNorm.Step(weight, u!, v!, MostSteps, Tolerance, Coefficient);
        if (wasFar && PowerIteration.IsSmall(u!, v!)) pair = FromConverged();
        if (tape is not null) Record(tape, pair);
        return pair;
    }

    private SpectralPair Again(PassTape tape)
    {
        using var scope = NewDisposeScope();
        return SpectralNorm.Step(weight, tape.Read(this, 1)[0].clone(), v!.clone(), 1, Tolerance, Coefficient).Pair;
    }

    private SpectralPair FromConverged()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        u!.copy_(Converged().Left);
        return SpectralNorm.Step(weight, u, v!, MostSteps, Tolerance, Coefficient).Pair;
    }

    private void Record(PassTape tape, SpectralPair pair)
    {
        using var scope = NewDisposeScope();
        tape.Write(this, SpectralNorm.Start(SpectralNorm.Vectors(pair), u!.shape[0], v!.shape[0]).clone());
    }

    // a left vector that is near enough to step from; the first time, and if the weight is another one, to all digits if that is cheap
    private Tensor Approach()
    {
        cache.Clear();
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var fixedSteps = weight.device_type != DeviceType.CPU;
        var (left, _, _, wasFar) = PowerIteration.Run(Operator(weight.detach()), u!, v!, fixedSteps ? StepsOnDevice : MostSteps, fixedSteps
            ? null : Tolerance);
        if (wasFar && PowerIteration.IsSmall(u!, v!)) left = Converged().Left.clone();
        return scope.MoveToOuter(left);
    }

    private (Tensor Left, Tensor Right) Converged()
    {
        var (left, right) = PowerIteration.Converge(Operator(weight.detach().to(float64)), u!.to(float64), v!.to(float64));
        return (left.to(weight.dtype), right.to(weight.dtype));
    }

    private LinearOperator Operator(Tensor w)
    {
        if (!IsMatrix) return new(rows => Times(AsInput(rows), w).flatten(1), rows => TimesTransposed(AsOutput(rows), w).flatten(1), null);
        var matrix = w.reshape(w.shape[0], -1);
        return new(rows => rows.mm(matrix.t()), rows => rows.mm(matrix), matrix);
    }

    private static Tensor Unit(Tensor vector) => vector.div(vector.norm());
}
