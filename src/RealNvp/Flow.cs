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
/// statistics never leak into a result. Thread safety: after <c>eval()</c> they may be called from several threads at once.</para>
/// <para>Results are differentiable with respect to weights and inputs except those of the Sample methods; <see cref="RSampleAndLogProb"/>
/// is their differentiable twin.</para>
/// </remarks>
public partial class Flow : nn.Module
{
    private readonly Bijection bijection;
    private readonly Density base_density;
    private readonly ContextEncoder? context_encoder;

    /// <summary>Makes a flow, which owns the bijection and the density.</summary>
    /// <param name="inputShape">The shape of one example x, all sizes known.</param>
    /// <param name="bijection">The map from data to latents.</param>
    /// <param name="baseDensity">The density of the latents; null for a standard normal.</param>
    /// <param name="contextEncoder">Turns contexts of another form than (N, C), such as labels, into vectors; null where they are vectors.</param>
    /// <exception cref="ArgumentException">The shapes or the context sizes do not fit.</exception>
    public Flow(EventShape inputShape, Bijection bijection, Density? baseDensity = null, ContextEncoder? contextEncoder = null)
        : this(nameof(Flow), inputShape, bijection, baseDensity, contextEncoder) { }

    private protected Flow(string name, EventShape inputShape, Bijection bijection, Density? baseDensity, ContextEncoder? contextEncoder = null) : base(TorchBackend.Checked(name))
    {
        ArgumentNullException.ThrowIfNull(bijection);
        if (!inputShape.IsFixed) throw new ArgumentException($"A flow needs a shape with all sizes known; got {inputShape}.", nameof(inputShape));
        if (bijection.InputShape is { } wanted && !wanted.Matches(inputShape.ToArray()))
            throw new ArgumentException($"The bijection takes examples of shape {wanted}; the flow has {inputShape}.", nameof(bijection));
        InputShape = inputShape;
        LatentShape = bijection.OutputShapeOf(inputShape);
        baseDensity ??= new StandardNormal(LatentShape);
        if (baseDensity.Shape != LatentShape)
            throw new ArgumentException($"The base density has shape {baseDensity.Shape}; the bijection gives latents of shape {LatentShape}.", nameof(baseDensity));
        if (bijection.ContextSize > 0 && baseDensity.ContextSize > 0 && bijection.ContextSize != baseDensity.ContextSize)
            throw new ArgumentException($"The bijection and the base density take the same context; got context sizes {bijection.ContextSize} and {baseDensity.ContextSize}.", nameof(baseDensity));
        ContextSize = Math.Max(bijection.ContextSize, baseDensity.ContextSize);
        if (contextEncoder is not null && contextEncoder.Size != ContextSize)
            throw new ArgumentException($"The encoder gives {contextEncoder.Size} context features; the flow takes {ContextSize}.", nameof(contextEncoder));
        context_encoder = contextEncoder;
        this.bijection = bijection;
        base_density = baseDensity;
        IsStochastic = bijection.IsStochastic;
        IsBound = bijection.GivesBound;
        RegisterComponents();
    }

    /// <summary>The map from data to latents.</summary>
    public Bijection Bijection => bijection;

    /// <summary>The density of the latents.</summary>
    public Density BaseDensity => base_density;

    /// <summary>The shape of one example x.</summary>
    public EventShape InputShape { get; }

    /// <summary>The shape of one latent z.</summary>
    public EventShape LatentShape { get; }

    /// <summary>The number of context features C that bijection and base density take; 0 where the flow is not conditional.</summary>
    public long ContextSize { get; }

    /// <summary>The shape of one context: [C], or what the encoder takes, such as [] for a label; null where the flow is not conditional.</summary>
    public EventShape? ContextShape => context_encoder?.ContextShape ?? (ContextSize > 0 ? (EventShape?)EventShape.Create(ContextSize) : null);

    /// <summary>
    /// True where the flow dequantizes integers: LogProb then is, on average over the noise, a lower bound of log P(x), and BitsPerDim an upper bound.
    /// False where they are exact.
    /// </summary>
    public bool IsBound { get; }

    /// <summary>What turns contexts into vectors (N, C); null where they are vectors.</summary>
    public ContextEncoder? ContextEncoder => context_encoder;

    /// <summary>log p(x | context) in nats.</summary>
    /// <param name="x">(N, ...) in the shape of <see cref="InputShape"/>; integers are allowed where the flow dequantizes. All values finite.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="seed">Fixes the noise of a dequantization; null draws from torch's generator.</param>
    /// <returns>(N).</returns>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity, as where values pass the largest number of the dtype; it names the layer. float64 reaches further.</exception>
    public Tensor LogProb(Tensor x, Tensor? context = null, long? seed = null)
    {
        using var mode = EvaluationMode.Enter(this);
        using var scope = NewDisposeScope();
        var input = CheckedInput(x, context, nameof(LogProb));
        return scope.MoveToOuter(Finite(LogProbOf(input, context, seed), nameof(LogProb), () => LogProbOf(input, context, seed)));
    }

    /// <summary>-log₂ p(x | context) / D for each example: bits per dimension. With dequantized integers it compares with the papers.</summary>
    /// <inheritdoc cref="LogProb"/>
    public Tensor BitsPerDim(Tensor x, Tensor? context = null, long? seed = null)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(LogProb(x, context, seed).mul(Scalars.Of(-1 / (InputShape.NumElements * Math.Log(2)))));
    }

    /// <summary>Maps data to latents: z = f(x).</summary>
    /// <inheritdoc cref="LogProb"/>
    /// <returns>(N, ...) in the shape of <see cref="LatentShape"/>.</returns>
    public Tensor Encode(Tensor x, Tensor? context = null, long? seed = null)
    {
        using var mode = EvaluationMode.Enter(this);
        using var scope = NewDisposeScope();
        var input = CheckedInput(x, context, nameof(Encode));
        using var random = RandomSource.Use(seed, input.device);
        var features = Features(context, input.shape[0], input.dtype, nameof(Encode));
        return scope.MoveToOuter(Finite(bijection.Forward(input, ForBijection(features)).Value, nameof(Encode), () => bijection.Forward(input, ForBijection(features))));
    }

    /// <summary>Maps latents to data: x = f⁻¹(z).</summary>
    /// <param name="z">(N, ...) in the shape of <see cref="LatentShape"/>. All values finite.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <returns>(N, ...) in the shape of <see cref="InputShape"/>.</returns>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer.</exception>
    public Tensor Decode(Tensor z, Tensor? context = null)
    {
        using var _ = EvaluationMode.Enter(this);
        using var scope = NewDisposeScope();
        var owner = $"{GetName()}.{nameof(Decode)}";
        Check.Batch(z, nameof(z), owner, LatentShape);
        z = InWeightDtype(z);
        Check.Finite(z, nameof(z), owner);
        var features = Features(context, z.shape[0], z.dtype, nameof(Decode));
        return scope.MoveToOuter(Finite(bijection.Inverse(z, ForBijection(features)).Value, nameof(Decode), () => bijection.Inverse(z, ForBijection(features))));
    }

    /// <summary>Draws examples: z from the base density, x = f⁻¹(z). Without gradients.</summary>
    /// <param name="count">N, the number of examples, for each context where there are contexts; 0 or more.</param>
    /// <param name="context">(M, C) for a conditional flow.</param>
    /// <param name="temperature">Scales the latents; 1 is the model, smaller values give more typical examples. Positive or 0.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <returns>(N, ...), or (M, N, ...) with contexts, on the device and in the dtype of the weights.</returns>
    public Tensor Sample(long count, Tensor? context = null, double temperature = 1, long? seed = null)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(SampleAndLogProb(count, context, temperature, seed).Samples);
    }

    /// <summary>Draws examples with their log-probability under the model, for the price of the samples alone. Without gradients.</summary>
    /// <remarks>
    /// The log-probability is that of the model, at temperature 1. Where the flow dequantizes, it is that of the continuous value before
    /// it was rounded, in the same unit as <see cref="LogProb"/>.
    /// </remarks>
    /// <inheritdoc cref="Sample"/>
    /// <returns>The samples, and (N) or (M, N) log-probabilities in nats.</returns>
    public (Tensor Samples, Tensor LogProb) SampleAndLogProb(long count, Tensor? context = null, double temperature = 1, long? seed = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (!(temperature >= 0 && double.IsFinite(temperature))) throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "The temperature must be finite and not negative.");
        CheckContexts(context, $"{GetName()}.{nameof(Sample)}");
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var (x, logProb) = ByContext(Draw(count, context, temperature, seed), count, context);
        Finite(x, nameof(Sample), () => Draw(count, context, temperature, seed));
        Finite(logProb, nameof(Sample), () => Draw(count, context, temperature, seed));
        return (scope.MoveToOuter(x), scope.MoveToOuter(logProb));
    }

    /// <summary>The training loss: the mean of -log p(x | context) over the batch, in nats, in the module's own mode.</summary>
    /// <remarks>
    /// Unlike <see cref="LogProb"/>, it uses training behaviour after <c>train()</c>: batch statistics are updated, images are flipped.
    /// It does not look for NaN, so nothing waits for the device.
    /// </remarks>
    /// <param name="x">(N, ...) with N of at least 1.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="seed">Fixes the noise; null draws from torch's generator.</param>
    /// <returns>A tensor without dimensions.</returns>
    public Tensor NegativeLogLikelihood(Tensor x, Tensor? context = null, long? seed = null)
    {
        using var scope = NewDisposeScope();
        var input = Input(x, nameof(NegativeLogLikelihood));
        if (input.shape[0] == 0) throw new ArgumentException($"{GetName()}.{nameof(NegativeLogLikelihood)} needs at least one example; got an empty batch.", nameof(x));
        using var session = training ? reversible?.Start() ?? ReversibleSession.Suspend() : ReversibleSession.Suspend();
        return scope.MoveToOuter(LogProbOf(input, context, seed).mean().neg());
    }

    /// <summary>The mean log-likelihood of a data set, computed in batches, without gradients and in evaluation mode.</summary>
    /// <param name="x">(N, ...) with N of at least 1, on any device.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <param name="batchSize">The number of examples at a time; at least 1.</param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    public Evaluation Evaluate(Tensor x, Tensor? context = null, int batchSize = 256, long seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        Check.Batch(x, nameof(x), $"{GetName()}.{nameof(Evaluate)}", InputShape);
        var count = x.shape[0];
        if (count == 0) throw new ArgumentException($"{GetName()}.{nameof(Evaluate)} needs at least one example; got an empty batch.", nameof(x));
        using var mode = EvaluationMode.Enter(this);
        using var gradients = no_grad();
        double sum = 0, squares = 0;
        for (long start = 0; start < count; start += batchSize)
        {
            using var scope = NewDisposeScope();
            var size = Math.Min(batchSize, count - start);
            var logProb = LogProb(OnDevice(x.narrow(0, start, size))!, OnDevice(context?.narrow(0, start, size)), seed + start);
            foreach (var value in logProb.FetchDoubles())
            {
                sum += value;
                squares += value * value;
            }
        }
        var mean = sum / count;
        var variance = count > 1 ? Math.Max(0, squares - count * mean * mean) / (count - 1) : double.NaN;
        return new Evaluation
        {
            Count = count,
            MeanLogProb = mean,
            StandardError = Math.Sqrt(variance / count),
            BitsPerDim = -mean / (InputShape.NumElements * Math.Log(2)),
            IsBound = IsBound,
        };
    }

    /// <summary>The first weight, which tells dtype and device; null for a flow without weights.</summary>
    private protected Tensor? Weight => parameters().FirstOrDefault();

    private Tensor LogProbOf(Tensor input, Tensor? context, long? seed)
    {
        using var random = RandomSource.Use(seed, input.device);
        var features = Features(context, input.shape[0], input.dtype, nameof(LogProb));
        var (z, logDet) = bijection.Forward(input, ForBijection(features));
        return base_density.LogProb(z, ForBase(features)).add(logDet, Scalars.One);
    }

    private Tensor CheckedInput(Tensor x, Tensor? context, string method)
    {
        var owner = $"{GetName()}.{method}";
        var input = Input(x, method);
        Check.Finite(input, nameof(x), owner);
        bijection.CheckData(input, owner);
        if (context_encoder is { } encoder) encoder.CheckContext(context, input.shape[0], owner, values: true);
        else if (context is not null) Check.Finite(context, nameof(context), owner);
        return input;
    }

    private Tensor Input(Tensor x, string method)
    {
        var owner = $"{GetName()}.{method}";
        Check.Batch(x, nameof(x), owner, InputShape);
        if (!x.is_floating_point() && !x.is_complex() && x.dtype != ScalarType.Bool && TakesIntegers(bijection)) return x.to(Weight?.dtype ?? get_default_dtype());
        return InDtype(x);
    }

    /// <summary>Checks a whole data set before training: shapes, finite values, whole numbers where the flow dequantizes.</summary>
    internal void CheckData(Tensor x, Tensor? context, string owner)
    {
        using var scope = NewDisposeScope();
        Check.Batch(x, nameof(x), owner, InputShape);
        if (x.is_floating_point()) Check.Finite(x, nameof(x), owner);
        else if (!TakesIntegers(bijection)) throw new ArgumentException($"{owner} expects {nameof(x)} with a floating-point dtype; got {x.dtype}. Convert it, or build the flow with Levels.", nameof(x));
        bijection.CheckData(x, owner);
        if (context_encoder is { } encoder)
        {
            encoder.CheckContext(context, x.shape[0], owner, values: true);
            return;
        }
        if (context is null == ContextSize > 0 || (context is not null && (context.dim() != 2 || context.shape[1] != ContextSize)))
            throw new ArgumentException($"{owner} expects {(ContextSize == 0 ? "no context" : $"a context of shape (N, {ContextSize})")}; got {(context is null ? "none" : EventShape.Format(context.shape))}.", nameof(context));
        if (context is not null) Check.Finite(context, nameof(context), owner);
    }

    /// <summary>A batch on the device of the weights, in its own dtype.</summary>
    internal Tensor ToWeights(Tensor tensor)
    {
        if (Weight is not { } weight) return tensor;
        // from memory that is not pinned, a copy waits for all work of the device before it
        if (weight.device_type == DeviceType.CUDA && tensor.device_type == DeviceType.CPU)
            tensor = tensor.pin_memory().to(weight.device, non_blocking: true);
        // that kind of device has no float64
        if (weight.device_type == DeviceType.MPS && tensor.dtype == ScalarType.Float64) tensor = tensor.to(ScalarType.Float32);
        return tensor.to(weight.device);
    }

    private Tensor? OnDevice(Tensor? tensor) =>
        tensor is null || Weight is not { } weight || (tensor.device_type == weight.device_type && tensor.device_index == weight.device_index) ? tensor : tensor.to(weight.device);

    private static bool TakesIntegers(Bijection bijection) => bijection switch
    {
        UniformDequantization or VariationalDequantization => true,
        RandomHorizontalFlip => false,
        Chain chain => TakesIntegers(chain.Layers[0]) || (chain.Layers[0] is RandomHorizontalFlip && chain.Layers.Count > 1 && TakesIntegers(chain.Layers[1])),
        _ => false,
    };
}
