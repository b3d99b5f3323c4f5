using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A residual network for vectors: h = W x + U c; then h ← h + B relu(A relu(h)) for each block; then a linear layer of relu(h).
/// </summary>
/// <remarks>
/// Maps (N, I) and a context (N, C) to (N, O). The last layer starts at zero, so a new coupling is the identity. State-dict keys:
/// <c>first</c>, <c>context</c>, <c>inner.i</c>, <c>outer.i</c>, <c>last</c>.
/// </remarks>
public sealed partial class ResidualMlp : Conditioner, IDenseNetwork, IHasComputeDtype
{
    private readonly Linear first, last;
    private readonly Linear? context;
    private readonly ModuleList<Linear> inner, outer;
    private readonly DenseModules dense;
    private readonly SeededDropout? dropout;

    /// <summary>Makes the network.</summary>
    /// <param name="inputs">I, the number of input features.</param>
    /// <param name="outputs">O, the number of output features.</param>
    /// <param name="hidden">The number of hidden features.</param>
    /// <param name="blocks">The number of residual blocks; 0 gives one hidden layer.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="inputLimit">c &gt; 0: the network sees x / √(1 + (x/c)²) in place of each number x of its input and
    /// context, which stays within ±c, so that its output stays within what it was for such inputs; null for x itself.</param>
    /// <param name="dropout">The probability of a <see cref="SeededDropout"/> of relu(A relu(h)) in each block, 0 ... 0.9; 0 for none.
    /// With it, training runs in plain operations rather than in a kernel.</param>
    public ResidualMlp(long inputs, long outputs, long hidden = 64, int blocks = 2, long contextSize = 0, double? inputLimit = null,
        double dropout = 0)
        : base(nameof(ResidualMlp), contextSize)
    {
        Check.Positive(inputs, nameof(inputs), "The number of input features");
        Check.Positive(outputs, nameof(outputs), "The number of output features");
        (InputShape, OutputShape) = (EventShape.Create(inputs), EventShape.Create(outputs));
        Check.Positive(hidden, nameof(hidden), "The number of hidden features");
        Check.Depth(blocks, 0, nameof(blocks), "The number of blocks");
        this.dropout = SeededDropout.Of(dropout);
        first = Weights.Linear(inputs, hidden);
        if (contextSize > 0) context = Weights.Linear(contextSize, hidden, bias: false);
        inner = [];
        outer = [];
        for (var i = 0; i < blocks; i++)
        {
            inner.Add(Weights.Linear(hidden, hidden));
            outer.Add(Weights.Linear(hidden, hidden));
        }
        last = Weights.ZeroLinear(hidden, outputs);
        var program = new DenseProgram(inputs, [.. Enumerable.Repeat(hidden, 1 + (2 * blocks)), outputs], contextSize, residual: true);
        dense = new DenseModules(program, context, [first, .. inner.Zip(outer).SelectMany(block => new[] { block.First, block.Second }),
            last], [], Check.Limit(inputLimit), this.dropout);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    ScalarType? IHasComputeDtype.ComputeDtype { get => dense.ComputeDtype; set => dense.ComputeDtype = value; }

    DenseModules IDenseNetwork.Modules => dense;

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(ResidualMlp)}.forward", last.weight!);
        return ConditionerMath.Dense(dense, input, context);
    }
}
