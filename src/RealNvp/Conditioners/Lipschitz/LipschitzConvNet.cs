using RealNvp.Internal;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network for images whose Lipschitz constant is bounded: a 3×3, some 1×1 and a
/// 3×3 convolution, each behind an activation (arXiv 1906.02735, appendix E.2).</summary>
/// <remarks>
/// Maps (N, I, H, W) and a context (N, C) to (N, O, H, W); the context is added to all pixels after
/// the first convolution. The last convolution starts at zero, so a new residual layer is the
/// identity. State-dict keys: <c>activations.i.*</c>, <c>layers.i.*</c>, <c>context.weight</c>.
/// </remarks>
public sealed class LipschitzConvNet : Conditioner, ILipschitz, ICallsOnce
{
    private readonly ModuleList<LipschitzActivation> activations;
    private readonly ModuleList<LipschitzConv2d> layers;
    private readonly Linear? context;
    private readonly IActivation?[] before;
    private readonly LipschitzLayer[] all;

    /// <summary>Makes the network.</summary>
    /// <param name="inputShape">[I, H, W], all sizes known: norms are those on images of this size.</param>
    /// <param name="outputs">O, the number of output channels.</param>
    /// <param name="hidden">The number of hidden channels; 512 in the paper.</param>
    /// <param name="kernelSizes">The size of each kernel, odd; null for 3, 1, 3, as in the paper.</param>
    /// <param name="activation">The activation before each convolution.</param>
    /// <param name="coefficient">The largest norm of each convolution, above 0 and below 1.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="activatesInput">Whether an activation comes before the first convolution too.</param>
    /// <param name="zero">Starts with a last convolution of zeros.</param>
    /// <param name="norm">p of the norm of all convolutions: 2, 1 or infinity.</param>
    /// <exception cref="ArgumentException">A size, the coefficient or the norm is not allowed.</exception>
    public LipschitzConvNet(EventShape inputShape, long outputs, long hidden = 512, IReadOnlyList<long>? kernelSizes = null,
        ActivationKind activation = ActivationKind.LipSwish,
        double coefficient = 0.98, long contextSize = 0, bool activatesInput = true, bool zero = true, double norm = 2)
            : base(nameof(LipschitzConvNet), contextSize)
    {
        if (inputShape.Count != 3 || !inputShape.IsFixed)
            throw new ArgumentException($"The network needs images [C, H, W] of a known size; got {inputShape}.", nameof(inputShape));
        Check.Positive(outputs, nameof(outputs), "The number of output channels");
        Check.Positive(hidden, nameof(hidden), "The number of hidden channels");
        kernelSizes ??= [3, 1, 3];
        Check.Depth(kernelSizes.Count, 1, nameof(kernelSizes), "The number of convolutions");
        if (activation == ActivationKind.CLipSwish && norm != 2)
            throw new ArgumentOutOfRangeException(nameof(norm), norm, "CLipSwish has its bound of 1 in the norm 2 only.");
        (InputShape, OutputShape) = (inputShape, EventShape.Create(outputs, inputShape[1], inputShape[2]));
        (activations, layers) = ([], []);
        var width = inputShape[0];
        for (var i = 0; i < kernelSizes.Count; i++)
        {
            if (i > 0 || activatesInput)
            {
                var one = LipschitzActivation.Create(activation);
                activations.Add(one);
                width *= one.Outputs;
            }
            var last = i == kernelSizes.Count - 1;
            layers.Add(new LipschitzConv2d(width, last ? outputs : hidden, kernelSizes[i], inputShape[1], inputShape[2], coefficient,
                zero: zero && last, norm: norm));
            width = hidden;
        }
        if (contextSize > 0) context = Weights.Linear(contextSize, kernelSizes.Count == 1 ? outputs : hidden, bias: false);
        before = [.. activatesInput ? [] : new IActivation?[] { null }, .. activations];
        all = [.. layers];
        LipschitzBound = Math.Pow(coefficient, all.Length);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <summary>The coefficient to the power of the number of convolutions.</summary>
    public double LipschitzBound { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(LipschitzConvNet)}.forward", all[0].Weight);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Begin(isStep: true).Run(input, context));
    }

    NetworkCall ICallsOnce.Begin(bool isStep) => Begin(isStep);

    private LipschitzNetwork Begin(bool isStep) => new(before, all, isStep, Given);

    private Tensor? Given(Tensor? given) => context is null || given is null ? null : context.call(given).unsqueeze(2).unsqueeze(3);
}
