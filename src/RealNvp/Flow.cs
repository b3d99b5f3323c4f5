using RealNvp.Layers;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A normalizing flow: a bijection from data x to latents z, and a base density on the latents;
/// log p(x) = log p_Z(f(x)) + log|det ∂f/∂x|.
/// </summary>
/// <remarks>
/// <para>Letters: N examples, M contexts, D elements of an example, C context features. Every returned tensor belongs to the caller, who
/// disposes it; no argument is changed or disposed.</para>
/// <para>All methods but <see cref="NegativeLogLikelihood"/> compute in evaluation mode, whatever the mode of the module is, so batch
/// statistics never leak into a result. Thread safety: they may be called from any number of threads at once, in either mode; in
/// training mode the modules are in evaluation mode as long as a call runs, and <see cref="NegativeLogLikelihood"/> waits for that,
/// as they wait for it. Set the mode by the flow's own <c>train()</c> and <c>eval()</c>, not by those of its parts. Training itself
/// is for one thread: an optimizer's step changes the weights under those who read them. Disposing a flow while a call runs ends
/// the process, and so may a dispose scope that is open across an <c>await</c>: TorchSharp keeps scopes by thread.</para>
/// <para><c>LogProb</c>, <c>BitsPerDim</c>, <c>Encode</c> and <c>Decode</c> keep a graph, and are differentiable, only if the input or the
/// context requires a gradient; they need the memory of the rows and little more otherwise.
/// <see cref="NegativeLogLikelihood"/>, <see cref="RSampleAndLogProb"/> and <see cref="FlowDistribution"/>'s
/// <c>log_prob</c> and <c>rsample</c> are differentiable with respect to the weights always.</para>
/// </remarks>
[Describing.TypeFormatterSource(typeof(Describing.HtmlFormatterSource))]
public partial class Flow : nn.Module, IDescribed
{
    private readonly Bijection bijection;
    private readonly Density base_density;
    private readonly ContextEncoder? context_encoder;

    /// <summary>Makes a flow, which owns the bijection and the density.</summary>
    /// <param name="inputShape">The shape of one example x, all sizes known.</param>
    /// <param name="bijection">The map from data to latents.</param>
    /// <param name="baseDensity">The density of the latents; null for a standard normal.</param>
    /// <param name="contextEncoder">Turns contexts of another form than (N, C),
    /// such as labels, into vectors; null if they are vectors.</param>
    /// <exception cref="ArgumentException">The shapes or the context sizes do not fit.</exception>
    public Flow(EventShape inputShape, Bijection bijection, Density? baseDensity = null, ContextEncoder? contextEncoder = null)
        : this(nameof(Flow), inputShape, bijection, baseDensity, contextEncoder) { }

    private protected Flow(string name, EventShape inputShape, Bijection bijection, Density? baseDensity,
        ContextEncoder? contextEncoder = null) : base(TorchBackend.Checked(name))
    {
        ArgumentNullException.ThrowIfNull(bijection);
        ModuleLife.Alive(bijection, nameof(bijection), name);
        ModuleLife.Alive(baseDensity, nameof(baseDensity), name);
        ModuleLife.Alive(contextEncoder, nameof(contextEncoder), name);
        if (!inputShape.IsFixed)
            throw new ArgumentException($"A flow needs a shape with all sizes known; got {inputShape}.", nameof(inputShape));
        if (bijection.InputShape is { } wanted && !wanted.Matches(inputShape.ToArray()))
            throw new ArgumentException($"The bijection takes examples of shape {wanted}; the flow has {inputShape}.", nameof(bijection));
        InputShape = inputShape;
        LatentShape = bijection.OutputShapeOf(inputShape);
        baseDensity ??= new StandardNormal(LatentShape);
        if (baseDensity.Shape != LatentShape)
            throw new ArgumentException(
                $"The base density has shape {baseDensity.Shape}; the bijection gives latents of shape {LatentShape}.",
                nameof(baseDensity));
        foreach (var (circle, from) in CirclePath.Through(bijection))
            if (!baseDensity.CircularFeatures.Contains(circle))
                throw new ArgumentException(
                    $"{baseDensity.GetName()} is not on a circle, but {from.GetName()} takes {circle} onto itself: values would leave " +
                    $"the circle. Use new UniformBox(shape, low, high) with these edges, or a ProductDensity with one for this feature.",
                    nameof(baseDensity));
        if (baseDensity.IsOnSphere && !bijection.KeepsLength)
            throw new ArgumentException(
                $"{baseDensity.GetName()} is on a sphere, but {bijection.Lengthener.GetName()} does not keep the lengths of " +
                $"vectors, so data would leave it. Use layers that do, such as a {nameof(ContinuousLayer)} of " +
                    $"{nameof(SphericalDynamics)}, " +
                $"or override {nameof(RealNvp.Bijection.KeepsLength)} in a layer of yours that does.", nameof(bijection));
        if (bijection.ContextSize > 0 && baseDensity.ContextSize > 0 && bijection.ContextSize != baseDensity.ContextSize)
            throw new ArgumentException(
                $"The bijection and the base density take the same context; got context sizes {bijection.ContextSize} and " +
                $"{baseDensity.ContextSize}.", nameof(baseDensity));
        ContextSize = Math.Max(bijection.ContextSize, baseDensity.ContextSize);
        if (contextEncoder is not null && contextEncoder.Size != ContextSize)
            throw new ArgumentException($"The encoder gives {contextEncoder.Size} context features; the flow takes {ContextSize}.",
                nameof(contextEncoder));
        context_encoder = contextEncoder;
        this.bijection = bijection;
        base_density = baseDensity;
        IsStochastic = bijection.IsStochastic;
        RegisterComponents();
        _ = Gate;
        stateCount = StateCount;
    }

    /// <summary>The map from data to latents.</summary>
    public Bijection Bijection => bijection;

    /// <summary>The density of the latents.</summary>
    public Density BaseDensity => base_density;

    /// <summary>The shape of one example x.</summary>
    public EventShape InputShape { get; }

    /// <summary>The shape of one latent z.</summary>
    public EventShape LatentShape { get; }

    /// <summary>The number of context features C that bijection and base density take; 0 if the flow is not conditional.</summary>
    public long ContextSize { get; }

    /// <summary>The shape of one context: [C], or what the encoder takes, such
    /// as [] for a label; null if the flow is not conditional.</summary>
    public EventShape? ContextShape =>
        context_encoder?.ContextShape ?? (ContextSize > 0 ? (EventShape?)EventShape.Create(ContextSize) : null);

    /// <summary>
    /// What LogProb is: exact; exact but for a solver's error; off by at most a stated number of nats; an unbiased estimate, of which
    /// <see cref="LogProbWithErrors"/> gives the standard errors; or, if the flow dequantizes integers, on average over the noise a
    /// lower bound of log P(x), so that BitsPerDim is an upper bound. It is that of the worst of the layers and the density.
    /// </summary>
    public Likelihood Likelihood => bijection.Likelihood.With(base_density.Likelihood);

    /// <summary>What turns contexts into vectors (N, C); null if they are vectors.</summary>
    public ContextEncoder? ContextEncoder => context_encoder;
}
