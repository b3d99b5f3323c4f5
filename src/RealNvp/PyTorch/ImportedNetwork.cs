using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A linear layer of a state dict.</summary>
/// <param name="Weight">(O, I).</param>
/// <param name="Bias">(O).</param>
/// <param name="Mask">Which weights count; null for all.</param>
internal sealed record ImportedLinear(Tensor Weight, Tensor Bias, bool[,]? Mask = null)
{
    /// <summary>A scale and a shift of what enters, before the activation; null for none.</summary>
    public (Tensor Scale, Tensor Shift)? Norm { get; init; }

    /// <summary>The number of inputs.</summary>
    public long Inputs => Weight.shape[1];

    /// <summary>The number of outputs.</summary>
    public long Outputs => Weight.shape[0];

    /// <summary>The same layer with its outputs in another order.</summary>
    public ImportedLinear Rows(long[] order)
    {
        bool[,]? mask = null;
        if (Mask is not null)
        {
            mask = new bool[order.Length, Mask.GetLength(1)];
            for (var i = 0; i < order.Length; i++)
                for (var j = 0; j < mask.GetLength(1); j++) mask[i, j] = Mask[order[i], j];
        }
        var rows = tensor(order);
        return new(Weight.index_select(0, rows), Bias.index_select(0, rows), mask) { Norm = Norm };
    }
}

/// <summary>
/// A network as other libraries have it, in plain operations: with any activation, any widths and any masks; plain layers, or residual
/// blocks h ← h + B a(A a(h)) as in nflows, where a gate of the context may follow B.
/// </summary>
/// <remarks>State-dict keys: <c>layers.i</c> in the order of the computation, <c>gates.i</c> of the blocks, <c>norms.i</c> in order,
/// <c>context</c>.</remarks>
internal sealed partial class ImportedNetwork : Conditioner
{
    private readonly ModuleList<Linear> layers = [], gates = [];
    private readonly ModuleList<ScaleShift> norms = [];
    private readonly int[] normOf;
    private readonly Linear? context;
    private readonly Constant?[] masks;
    private readonly PyTorchActivation activation;
    private readonly ImportedContext contextual;
    private readonly bool residual, appends;

    /// <summary>Makes the network.</summary>
    /// <param name="weights">Sets the weights.</param>
    /// <param name="parts">The linear layers: the first, two for each residual block or one for each plain one, the last.</param>
    /// <param name="residual">Whether the blocks are residual.</param>
    /// <param name="activation">The function between layers.</param>
    /// <param name="contextSize">C, the number of context features.</param>
    /// <param name="context">A layer whose activated output is added to that of the first one; null if the context is appended to the
    /// input.</param>
    /// <param name="gates">A layer of the context for each residual block, or none.</param>
    /// <param name="contextual">What these do. With <see cref="ImportedContext.Gate"/>, <paramref name="context"/> is added without an
    /// activation.</param>
    public ImportedNetwork(ImportedWeights weights, IReadOnlyList<ImportedLinear> parts, bool residual, PyTorchActivation activation,
        long contextSize = 0, ImportedLinear? context = null, IReadOnlyList<ImportedLinear>? gates = null,
        ImportedContext contextual = ImportedContext.Gate)
        : base(nameof(ImportedNetwork), contextSize)
    {
        (this.residual, this.activation, this.contextual) = (residual, activation, contextual);
        appends = contextSize > 0 && context is null;
        (InputShape, OutputShape) = (EventShape.Create(parts[0].Inputs - (appends ? contextSize : 0)),
            EventShape.Create(parts[^1].Outputs));
        for (var i = 1; i < parts.Count; i++)
            if (parts[i].Inputs != parts[i - 1].Outputs)
                throw weights.Fault(
                    $"a layer of a network takes {parts[i].Inputs} numbers, but the one before it gives {parts[i - 1].Outputs}");
        foreach (var part in parts) layers.Add(Of(weights, part));
        normOf = new int[parts.Count];
        for (var i = 0; i < parts.Count; i++)
        {
            normOf[i] = parts[i].Norm is null ? -1 : norms.Count;
            if (parts[i].Norm is { } norm)
                norms.Add(weights.Filled(new ScaleShift(parts[i].Inputs), ("scale", norm.Scale), ("shift", norm.Shift)));
        }
        foreach (var gate in gates ?? []) this.gates.Add(Of(weights, gate));
        if (context is not null) this.context = Of(weights, context);
        masks = [.. parts.Select(part => part.Mask is null ? null : new Constant(tensor(part.Mask).to(get_default_dtype())))];
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(ImportedNetwork)}.forward", layers[0].weight!);
        using var scope = NewDisposeScope();
        var h = Layer(0, appends ? cat([input, context!], 1) : input);
        if (this.context is not null)
        {
            var given = this.context.call(context!);
            h = h.add(contextual == ImportedContext.Inside ? Activated(given) : given, Scalars.One);
        }
        var last = layers.Count - 1;
        for (var i = 1; i < last; i += residual ? 2 : 1)
        {
            var inside = Layer(i, Activated(i, h));
            if (!residual) { h = inside; continue; }
            var given = gates.Count > 0 ? gates[(i - 1) / 2].call(context!) : null;
            if (given is not null && contextual == ImportedContext.Inside) inside = inside.add(given, Scalars.One);
            var added = Layer(i + 1, Activated(i + 1, inside));
            if (given is not null && contextual == ImportedContext.Gate) added = added.mul(given.sigmoid());
            h = h.add(added, Scalars.One);
        }
        return scope.MoveToOuter(Layer(last, residual ? h : Activated(last, h)));
    }

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        foreach (var mask in masks) mask?.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) foreach (var mask in masks) mask?.Dispose();
        base.Dispose(disposing);
    }

    private static Linear Of(ImportedWeights weights, ImportedLinear part) =>
        weights.Filled(Weights.Linear(part.Inputs, part.Outputs), ("weight", part.Weight), ("bias", part.Bias));

    private Tensor Layer(int i, Tensor x)
    {
        var weight = layers[i].weight!;
        return nn.functional.linear(x, masks[i] is { } mask ? weight.mul(mask.Value) : weight, layers[i].bias);
    }

    // what enters a layer
    private Tensor Activated(int layer, Tensor x) => Activated(normOf[layer] < 0 ? x : norms[normOf[layer]].call(x));

    private Tensor Activated(Tensor x) => activation switch
    {
        PyTorchActivation.Relu => x.relu(),
        PyTorchActivation.Tanh => x.tanh(),
        PyTorchActivation.Elu => x.where(x.gt(Scalars.Zero), x.clamp_max(Scalars.Zero).expm1()),
        PyTorchActivation.LeakyRelu => x.where(x.gt(Scalars.Zero), x.mul(Scalars.Of(0.01))),
        PyTorchActivation.Silu => nn.functional.silu(x),
        PyTorchActivation.Gelu => nn.functional.gelu(x),
        PyTorchActivation.Softplus => ScaleShiftTransformer.Softplus(x),
        _ => x.sigmoid(),
    };
}
