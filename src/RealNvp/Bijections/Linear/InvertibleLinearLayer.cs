using System.Runtime.InteropServices;
using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A learned invertible matrix over channels or features, a permutation that learns: z = W·x at each pixel; log|det| = H·W·log|det W|.
/// For images this is Glow's invertible 1×1 convolution (arXiv 1807.03039, section 3.2).
/// </summary>
/// <remarks>
/// <para>A new layer is a random rotation, so log|det| = 0. The inverse matrix
/// is computed in float64 at each call, whatever the dtype of the layer.</para>
/// <para>State-dict keys by form: <c>lu</c> (C, C: L below the diagonal, U above it, log|diagonal of U| on it), <c>permutation</c> and
/// <c>sign</c> (C); <c>weight</c> (C, C); <c>reflections</c> (K, C); <c>reflections</c> and <c>upper</c> (C, C: the logarithm of the
/// diagonal on it, nothing that counts below it).</para>
/// </remarks>
public sealed partial class InvertibleLinearLayer : Bijection, IConstantBuffers, IStateLaws, IStepsBack, IJoinsLayer, IJoinsChain
{
    private readonly TorchSharp.Modules.Parameter? weight, lu, reflections, upper;
    private readonly Tensor? permutation, sign;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">[D], or [C, H, W] where H and W may be -1.</param>
    /// <param name="form">How the matrix is stored.</param>
    /// <param name="numReflections">K, the number of Householder reflections of the forms that have them; null for one a channel.</param>
    /// <exception cref="ArgumentException">The shape is neither a vector nor an image, or its number of channels is open.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="numReflections"/> is not positive.</exception>
    public InvertibleLinearLayer(EventShape inputShape, LinearForm form = LinearForm.Lu, int? numReflections = null)
        : base(nameof(InvertibleLinearLayer), inputShape)
    {
        if (inputShape.Count is not (1 or 3) || inputShape[0] < 1)
            throw new ArgumentException(
                $"An invertible linear layer needs a vector [D] or an image [C, H, W] with a known number of channels; got {inputShape}.",
                nameof(inputShape));
        if (!Enum.IsDefined(form)) throw new ArgumentOutOfRangeException(nameof(form), form, "Unknown form.");
        var c = inputShape[0];
        Form = form;
        if (form is LinearForm.Orthogonal or LinearForm.Qr)
        {
            var count = Check.Positive(numReflections ?? c, nameof(numReflections), "The number of reflections");
            Weights.Pay((Int128)count * c, 1);
            reflections = Weights.Parameter(Weights.Normal(count, c));
            if (form == LinearForm.Qr)
            {
                Weights.Pay((Int128)c * c, 1);
                upper = Weights.Parameter(zeros(c, c));
            }
        }
        else if (form == LinearForm.Plain)
        {
            Weights.Pay((Int128)c * c, 1);
            using var scope = NewDisposeScope();
            weight = Weights.Parameter(Rotation(c).to(get_default_dtype()));
        }
        else
        {
            Weights.Pay(((Int128)c * c) + (2 * c), 3);
            using var scope = NewDisposeScope();
            var (p, l, u) = linalg.lu(Rotation(c));
            var diagonal = u.diagonal();
            lu = Weights.Parameter(l.tril(-1).add(u.triu(1), Scalars.One).add(diagonal.abs().log().diag(),
                Scalars.One).to(get_default_dtype()));
            permutation = Weights.Buffer(p.argmax(1).contiguous());
            sign = Weights.Buffer(diagonal.sign().to(get_default_dtype()));
        }
        RegisterComponents();
    }

    /// <summary>A layer of the form <see cref="LinearForm.Lu"/> that starts as a random permutation, L = U = 1, as those of neural spline
    /// flows do (arXiv 1906.04032, section 5.1), rather than as a rotation.</summary>
    /// <remarks>
    /// For splines and whatever else acts on one feature at a time within bounds: a rotation of features that are no normal variables
    /// mixes them, so that what the next layer sees of each is nearly normal and reaches further out. docs/decisions/0054 has figures.
    /// State-dict keys are those of the form.
    /// </remarks>
    /// <param name="inputShape">[D], or [C, H, W] where H and W may be -1.</param>
    /// <exception cref="ArgumentException">The shape is neither a vector nor an image, or its number of channels is open.</exception>
    public static InvertibleLinearLayer StartingAsPermutation(EventShape inputShape)
    {
        var layer = new InvertibleLinearLayer(inputShape);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        layer.lu!.zero_();
        layer.sign!.fill_(Scalars.One);
        layer.permutation!.copy_(Weights.Normal(inputShape[0]).argsort());
        return layer;
    }

    /// <summary>How the matrix is stored.</summary>
    public LinearForm Form { get; }

    /// <summary>True for an orthogonal matrix.</summary>
    public override bool KeepsLength => Form == LinearForm.Orthogonal;

    /// <summary>The matrix W (C, C) of <c>Forward</c>; a new tensor that the caller disposes, with gradients to the weights.</summary>
    public Tensor Matrix()
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Form switch
        {
            LinearForm.Lu => LuMath.FromLu(lu!, permutation!, sign!),
            LinearForm.Plain => weight!.alias(),
            LinearForm.Orthogonal => Orthogonal(reflections!),
            _ => Orthogonal(reflections!).mm(UpperOf(upper!)),
        });
    }

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return BufferLaws.First(BufferLaws.Permutation(state, nameof(permutation)), BufferLaws.Signs(state, nameof(sign)));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
        Fused(null, x, inverse: false) ?? (LuMath.Apply(Matrix(), x), LogDet(x));

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
        Fused(null, z, inverse: true) ?? (LuMath.Apply(InverseMatrix().to(z.dtype), z), LogDet(z)?.neg());

    // a scale and a shift of each channel go into the matrix
    (Tensor Value, Tensor? LogDet)? IJoinsLayer.RunJoined(Bijection before, Tensor input, Pass pass, bool inverse) =>
        before is ActNorm { WantsBatch: false } norm ? Fused(norm, input, inverse) : null;

    ChainStep? IJoinsLayer.StepJoined(Bijection before, Tensor input, Pass pass, bool inverse) =>
        before is ActNorm { WantsBatch: false } norm ? Step(norm, input, inverse) : null;

    ChainStep? IJoinsChain.StepFor(Tensor input, Pass pass, bool inverse) => Step(null, input, inverse);

    private ScaledLinearStep? Step(ActNorm? before, Tensor input, bool inverse) =>
        Form == LinearForm.Lu && ScaledLinear.Of(input, lu!, permutation!, sign!, before?.Scale, before?.Shift) is { } fused
            ? fused.Step(lu!, before?.Scale, before?.Shift, inverse) : null;

    private (Tensor Value, Tensor? LogDet)? Fused(ActNorm? before, Tensor input, bool inverse) =>
        Step(before, input, inverse) is { } step ? RowChain.Run([step], input, null) : null;

    // only the matrix needs a graph: with z = W·x, the gradients are Wᵀ·g for x and g·xᵀ for W
    (Tensor Input, Tensor Gradient) IStepsBack.StepBack(BackwardStep step, Tensor output, Tensor gradient, bool inverse)
    {
        if (inverse) return step.Rebuild(this, output, gradient, inverse);
        if (FusedBack(step, null, output, gradient) is { } fused) return fused;
        var input = LuMath.Apply(InverseMatrix().to(output.dtype), output);
        var slope = ByChannel(gradient).mm(ByChannel(input).t());
        using var gradients = enable_grad();
        var matrix = Matrix();
        step.Backward(this, matrix, slope, LogDet(input));
        return (input, LuMath.Apply(matrix.detach().t(), gradient));
    }

    (Tensor Input, Tensor Gradient)? IJoinsLayer.StepBackJoined(BackwardStep step, Bijection before, Tensor output, Tensor gradient) =>
        FusedBack(step, before as ActNorm, output, gradient);

    private (Tensor Input, Tensor Gradient)? FusedBack(BackwardStep step, ActNorm? before, Tensor output, Tensor gradient)
    {
        if (Form != LinearForm.Lu
                || ScaledLinear.Of(output, lu!, permutation!, sign!, before?.Scale, before?.Shift) is not { } fused)
            return null;
        var (input, slope, dlu, scale, shift) = fused.StepBack(output, lu!, before?.Scale, before?.Shift, gradient, step.LogDetGradient);
        step.AddGradient(lu!, dlu);
        if (before is not null)
        {
            step.AddGradient(before.Scale, scale!);
            step.AddGradient(before.Shift, shift!);
        }
        return (input, slope);
    }

    // (C, N) or (C, N·H·W)
    private static Tensor ByChannel(Tensor x) => x.dim() == 2 ? x.t() : x.transpose(0, 1).flatten(1);

    private Tensor? LogDet(Tensor input)
    {
        var sum = Form switch
        {
            LinearForm.Lu => lu!.diagonal().sum(),
            LinearForm.Plain => LogAbsDet(weight!),
            LinearForm.Orthogonal => null,
            _ => upper!.diagonal().sum(),
        };
        return sum is null ? null : LuMath.ByExample(sum, input);
    }

    private Tensor InverseMatrix()
    {
        try
        {
            switch (Form)
            {
                case LinearForm.Orthogonal:
                    return Orthogonal(reflections!).t();
                case LinearForm.Plain:
                    return linalg.inv(weight!.to(float64));
                case LinearForm.Qr:
                    return Solve(UpperOf(upper!.to(float64)), Orthogonal(reflections!.to(float64)).t());
                default:
                    var (_, u) = LuMath.Triangles(lu!.to(float64), sign!);
                    // both factors in one matrix, as the solver wants them; the ones on L's diagonal are understood
                    return Solve(lu!.to(float64).tril(-1).add(u, Scalars.One),
                        eye(lu!.shape[0], dtype: float64, device: lu.device).index_select(0, permutation!).t());
            }
        }
        catch (ExternalException error)
        {
            throw new NoInverseException(
                $"The matrix of {nameof(InvertibleLinearLayer)} ({Form}) has no inverse. Train with the form {nameof(LinearForm.Lu)}, " +
                $"which is never singular, or with a smaller learning rate.", error);
        }
    }

    /// <summary>Solves L·U·X = right, with both triangles in one matrix.</summary>
    private static Tensor Solve(Tensor triangles, Tensor right) =>
        linalg.lu_solve(triangles, Scalars.Range(triangles.shape[0], triangles.device, 1, ScalarType.Int32), right.contiguous());

    private static Tensor UpperOf(Tensor packed) => packed.triu(1).add(packed.diagonal().exp().diag(), Scalars.One);

    private static Tensor Orthogonal(Tensor vectors) => Householder.Columns(vectors, vectors.shape[1]);

    private static Tensor LogAbsDet(Tensor matrix)
    {
        var (_, logAbsDet) = linalg.slogdet(matrix);
        return logAbsDet;
    }

    private static Tensor Rotation(long size)
    {
        var (q, _) = linalg.qr(Weights.Normal(1, [size, size], ScalarType.Float64));
        return q;
    }
}
