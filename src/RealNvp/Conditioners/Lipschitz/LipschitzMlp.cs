using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network for vectors whose Lipschitz constant is bounded: activations and dense layers by turns,
/// g(x) = Ŵₙ·f(··· Ŵ₁·f(x) + b₁ ···) + bₙ (arXiv 1906.02735, appendix E.1).</summary>
/// <remarks>
/// Maps (N, I) and a context (N, C) to (N, O); the context is added, by a weight of its own, to the result of
/// the first layer, so that the bound holds for each context. The last layer starts at zero, so a new residual
/// layer is the identity. State-dict keys: <c>activations.i.*</c>, <c>layers.i.*</c>, <c>context.weight</c>.
/// </remarks>
public sealed partial class LipschitzMlp : Conditioner, ILipschitz, ICallsOnce, IResidualNetwork
{
    private readonly ModuleList<LipschitzActivation> activations;
    private readonly ModuleList<LipschitzLinear> layers;
    private readonly Linear? context;
    private readonly IActivation?[] before;
    private readonly LipschitzLayer[] all;
    private readonly LipschitzActivation?[] own;
    private readonly ResidualProgram? program;
    private readonly double? limit;

    /// <summary>Makes the network.</summary>
    /// <param name="inputs">I, the number of input features.</param>
    /// <param name="outputs">O, the number of output features.</param>
    /// <param name="hidden">The number of features of each hidden layer.</param>
    /// <param name="hiddenLayers">The number of hidden layers, at least 1.</param>
    /// <param name="activation">The activation before each layer.</param>
    /// <param name="coefficient">The largest norm of each weight, above 0 and below 1.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="activatesInput">Whether an activation comes before the first layer too.</param>
    /// <param name="zero">Starts with a last layer of zeros.</param>
    /// <param name="norm">p of the norm of all layers: 2, 1 or infinity.</param>
    /// <param name="inputLimit">c &gt; 0: the network sees x / √(1 + (x/c)²) in place of each number x of its input and context, which
    /// stays within ±c, so that far out z − x is what it is near the data; null for x itself.</param>
    /// <exception cref="ArgumentException">A size, the coefficient or the norm is not allowed.</exception>
    public LipschitzMlp(long inputs, long outputs, long hidden = 128, int hiddenLayers = 4,
        ActivationKind activation = ActivationKind.LipSwish, double coefficient = 0.9,
        long contextSize = 0, bool activatesInput = true, bool zero = true, double norm = 2, double? inputLimit = null)
            : base(nameof(LipschitzMlp), contextSize)
    {
        Check.Positive(inputs, nameof(inputs), "The number of input features");
        Check.Positive(outputs, nameof(outputs), "The number of output features");
        Check.Positive(hidden, nameof(hidden), "The number of hidden features");
        Check.Depth(hiddenLayers, 1, nameof(hiddenLayers), "The number of hidden layers");
        if (activation == ActivationKind.CLipSwish && norm != 2)
            throw new ArgumentOutOfRangeException(nameof(norm), norm, "CLipSwish has its bound of 1 in the norm 2 only.");
        (InputShape, OutputShape) = (EventShape.Create(inputs), EventShape.Create(outputs));
        (activations, layers) = ([], []);
        var width = inputs;
        for (var i = 0; i <= hiddenLayers; i++)
        {
            if (i > 0 || activatesInput)
            {
                var one = LipschitzActivation.Create(activation);
                activations.Add(one);
                width *= one.Outputs;
            }
            var last = i == hiddenLayers;
            layers.Add(new LipschitzLinear(width, last ? outputs : hidden, coefficient, zero: zero && last, domain: norm, codomain: norm));
            width = hidden;
        }
        if (contextSize > 0) context = Weights.Linear(contextSize, hidden, bias: false);
        before = [.. activatesInput ? [] : new IActivation?[] { null }, .. activations];
        limit = Check.Limit(inputLimit);
        if (limit is { } c) before[0] = new LimitedActivation(c, before[0]);
        all = [.. layers];
        LipschitzBound = Math.Pow(coefficient, all.Length);
        own = [.. activatesInput ? [] : new LipschitzActivation?[] { null }, .. activations];
        if (inputs == outputs && Math.Max(inputs, hidden) <= ResidualBlock.Widest)
            program = new([.. all.Select((layer, i) => new ResidualStep(own[i]?.Kernel.Kind ?? ResidualActivation.None,
                own[i]?.Kernel.Factor ?? 1, (int)layer.Weight.shape[1], (int)layer.Weight.shape[0]))], limit);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <summary>The coefficient to the power of the number of layers.</summary>
    public double LipschitzBound { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(LipschitzMlp)}.forward", all[0].Weight);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Begin(isStep: true).Run(input, context));
    }

    (Tensor Z, Tensor? LogDet)? IResidualNetwork.TryBlock(Tensor x, Tensor? context, bool wantsLogDet, bool isStep) =>
        Fused(x, context, wantsLogDet, isStep) is { } tensors ? ResidualBlock.Run(tensors, wantsLogDet) : null;

    (Tensor X, ResidualMiss Miss)? IResidualNetwork.TrySearch(Tensor y, Tensor? context, int steps, double least, double ulps,
        bool isStep)
    {
        using var gradients = no_grad();
        return Fused(y, context, false, isStep) is { } tensors ? ResidualBlock.Search(tensors, steps, least, ulps) : null;
    }

    // what the operation takes, or null if it cannot run
    private ResidualTensors? Fused(Tensor x, Tensor? context, bool wantsLogDet, bool isStep)
    {
        if (program is null) return null;
        var weights = Array.ConvertAll(all, l => l.Weight);
        var biases = Array.ConvertAll(all, l => l.Bias);
        var betas = Array.ConvertAll(own, a => a?.Kernel.Beta);
        if (!ResidualBlock.CanRun(program, x, weights, biases, betas, wantsLogDet)) return null;
        var norms = new SpectralPair?[all.Length];
        for (var i = 0; i < all.Length; i++)
        {
            if (all[i].HasPair) norms[i] = all[i].Pair(isStep, is_grad_enabled() && weights[i].requires_grad);
            else weights[i] = all[i].Normalized(isStep).contiguous();
        }
        return new(program, x.contiguous(), Given(context)?.contiguous(), weights, biases!, betas, norms);
    }

    NetworkCall ICallsOnce.Begin(bool isStep) => Begin(isStep);

    private LipschitzNetwork Begin(bool isStep) => new(before, all, isStep, Given);

    private Tensor? Given(Tensor? given) => context is null || given is null ? null : context.call(InputLimitReference.Of(given, limit));
}
