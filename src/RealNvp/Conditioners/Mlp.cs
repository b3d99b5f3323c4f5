using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A plain network for vectors: linear layers with relu between them, as NICE has (arXiv 1410.8516, section 5.1).</summary>
/// <remarks>
/// Maps (N, I) and a context (N, C) to (N, O); the context enters the first layer. The last layer starts at zero, so a new coupling is the
/// identity. State-dict keys: <c>layers.i</c>, <c>context</c>, <c>last</c>.
/// </remarks>
public sealed partial class Mlp : Conditioner, IDenseNetwork, IHasComputeDtype
{
    private readonly ModuleList<Linear> layers;
    private readonly Linear? context;
    private readonly Linear last;
    private readonly DenseModules dense;

    /// <summary>Makes the network.</summary>
    /// <param name="inputs">I, the number of input features.</param>
    /// <param name="outputs">O, the number of output features.</param>
    /// <param name="hidden">The number of features of each hidden layer.</param>
    /// <param name="hiddenLayers">The number of hidden layers, at least 1.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="inputLimit">c &gt; 0: the network sees x / √(1 + (x/c)²) in place of each number x of its input and
    /// context, which stays within ±c, so that its output stays within what it was for such inputs; null for x itself.</param>
    public Mlp(long inputs, long outputs, long hidden = 64, int hiddenLayers = 2, long contextSize = 0, double? inputLimit = null)
        : base(nameof(Mlp), contextSize)
    {
        Check.Positive(inputs, nameof(inputs), "The number of input features");
        Check.Positive(outputs, nameof(outputs), "The number of output features");
        (InputShape, OutputShape) = (EventShape.Create(inputs), EventShape.Create(outputs));
        Check.Positive(hidden, nameof(hidden), "The number of hidden features");
        Check.Depth(hiddenLayers, 1, nameof(hiddenLayers), "The number of hidden layers");
        layers = [];
        for (var i = 0; i < hiddenLayers; i++) layers.Add(Weights.Linear(i == 0 ? inputs : hidden, hidden));
        if (contextSize > 0) context = Weights.Linear(contextSize, hidden, bias: false);
        last = Weights.ZeroLinear(hidden, outputs);
        dense = new DenseModules(new DenseProgram(inputs, [.. Enumerable.Repeat(hidden, hiddenLayers), outputs], contextSize), context,
            [.. layers, last], [], Check.Limit(inputLimit));
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
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(Mlp)}.forward", last.weight!);
        return ConditionerMath.Dense(dense, input, context);
    }
}
