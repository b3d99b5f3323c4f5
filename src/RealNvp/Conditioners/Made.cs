using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A masked network for autoregressive flows: the parameters of a feature depend on the features before it in the order, and on the
/// context (MADE, arXiv 1502.03509, section 4; residual blocks as in arXiv 1705.07057).
/// </summary>
/// <remarks>
/// <para>Maps (N, D) and a context (N, C) to (N, P·D), all first parameters before all second ones. The last layer starts at zero.</para>
/// <para>Hidden unit j has a degree, how many features it sees, and the degrees ascend with j. So the parameters of one feature after the
/// other can be computed with each hidden unit computed once (<see cref="Sequential"/>): the price of one pass, and not of D.
/// With a context, the first feature's parameters depend on it too, through units of degree 0.</para>
/// <para>State-dict keys: <c>first</c>, <c>context</c>, <c>inner.i</c>, <c>outer.i</c> (residual blocks only), <c>last</c>. Masked weights
/// are in the state and have no effect.</para>
/// </remarks>
public sealed partial class Made : Conditioner, IDenseNetwork, IHasComputeDtype
{
    private readonly Linear first, last;
    private readonly Linear? context;
    private readonly ModuleList<Linear> inner, outer;
    private readonly Constant firstMask, hiddenMask, lastMask, order, sorted;
    private readonly long[] positions, ends;
    private readonly DenseModules dense;
    private readonly SeededDropout? dropout;

    /// <summary>Makes the network.</summary>
    /// <param name="features">D, the number of features.</param>
    /// <param name="parametersPerFeature">P, the number of outputs of a feature.</param>
    /// <param name="options">Width, depth, order and context; null for the defaults.</param>
    /// <exception cref="ArgumentException">An order that is no permutation of the features.</exception>
    public Made(long features, long parametersPerFeature, MadeOptions? options = null) : base(nameof(Made), options?.ContextSize ?? 0)
    {
        options ??= new();
        Features = Check.Positive(features, nameof(features), "The number of features");
        ParametersPerFeature = Check.Positive(parametersPerFeature, nameof(parametersPerFeature), "The number of parameters of a feature");
        var hidden = Check.Positive(options.Hidden, nameof(options), "The number of hidden units");
        Check.Depth(options.Blocks, 0, nameof(options), "The number of blocks");
        dropout = SeededDropout.Of(options.Dropout);
        (Residual, FinalActivation) = (options.Residual, options.FinalActivation);
        positions = PositionsOf(options.Order, features);
        var units = new MaskedUnits(positions, hidden, ContextSize > 0);
        ends = units.Ends;

        first = Weights.Linear(features, hidden);
        if (ContextSize > 0) context = Weights.Linear(ContextSize, hidden, bias: false);
        (inner, outer) = ([], []);
        for (var i = 0; i < options.Blocks; i++)
        {
            inner.Add(Weights.Linear(hidden, hidden));
            if (Residual) outer.Add(Weights.Linear(hidden, hidden));
        }
        last = Weights.ZeroLinear(hidden, checked(features * parametersPerFeature));
        using (NewDisposeScope())
        {
            var (unit, feature) = (tensor(units.Degrees), tensor(positions));
            order = new Constant(tensor(OrderOf(positions)));
            sorted = new Constant(feature);
            firstMask = new Constant(unit.unsqueeze(1).gt(feature.unsqueeze(0)).to(get_default_dtype()));
            hiddenMask = new Constant(unit.unsqueeze(1).ge(unit.unsqueeze(0)).to(get_default_dtype()));
            lastMask = new Constant(feature.unsqueeze(1).ge(unit.unsqueeze(0)).to(get_default_dtype()).repeat(parametersPerFeature, 1));
        }
        var layers = Layers;
        var program = new DenseProgram(features, [.. Enumerable.Repeat(hidden, layers.Length - 1), features * parametersPerFeature],
            ContextSize, Residual, units.Bands(layers.Length, parametersPerFeature)) { LastIsActivated = FinalActivation };
        dense = new DenseModules(program, context, layers, [firstMask, .. Enumerable.Repeat(hiddenMask, layers.Length - 2), lastMask],
            Check.Limit(options.InputLimit), dropout);
        RegisterComponents();
    }

    /// <summary>D, the number of features.</summary>
    public long Features { get; }

    /// <summary>P, the number of outputs of a feature.</summary>
    public long ParametersPerFeature { get; }

    /// <inheritdoc/>
    public override EventShape? InputShape => EventShape.Create(Features);

    /// <inheritdoc/>
    public override EventShape? OutputShape => EventShape.Create(checked(Features * ParametersPerFeature));

    /// <summary>Whether the blocks are residual.</summary>
    public bool Residual { get; }

    /// <summary>Whether relu is applied before the last layer too.</summary>
    public bool FinalActivation { get; }

    ScalarType? IHasComputeDtype.ComputeDtype { get => dense.ComputeDtype; set => dense.ComputeDtype = value; }

    /// <summary>For each feature its position in the order, 0 to D − 1.</summary>
    internal IReadOnlyList<long> Positions => positions;

    DenseModules IDenseNetwork.Modules => dense;

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(Made)}.forward", last.weight!);
        return ConditionerMath.Dense(dense, input, context);
    }

    /// <summary>
    /// Computes features one after the other, in the order, for the rows of <paramref name="like"/> (N, D). <paramref name="next"/>
    /// gets the feature's index and its parameters (N, P), and returns the feature (N, 1), on which later parameters depend, and
    /// its log-derivative or null if that is 0. Each hidden unit is computed once, from the units that it sees.
    /// </summary>
    /// <returns>All features (N, D), each at its own index, and the sum of
    /// the log-derivatives (N) or null. The caller disposes both.</returns>
    internal (Tensor Value, Tensor? LogDet) Sequential(Tensor like, Tensor? context,
        Func<long, Tensor, (Tensor Value, Tensor? LogDerivative)> next)
    {
        using var scope = NewDisposeScope();
        if (Sequence(like, context) is { } sequence)
        {
            var (all, sum) = sequence.Run(next);
            if (sum is not null) scope.MoveToOuter(sum);
            return (scope.MoveToOuter(all), sum);
        }
        var width = first.weight!.shape[0];
        var rows = OrderOf(positions);
        // a pass of the whole network rounds at the same places
        var type = ConditionerMath.IsReduced(dense.ComputeDtype, like) ? dense.ComputeDtype!.Value : like.dtype;
        // who owns the network may have removed a bias
        var layers = Array.ConvertAll(Layers, layer => (Weight: layer.weight!.to(type),
            Bias: layer.bias?.to(type) ?? zeros(layer.weight!.shape[0], dtype: type, device: like.device)));
        // columns in the order of the features; rows of the last layer by feature
        layers[0].Weight = layers[0].Weight.index_select(1, order.Value);
        var outputs = layers[^1].Weight.view(ParametersPerFeature, Features, width).transpose(0, 1);
        var biases = layers[^1].Bias.view(ParametersPerFeature, Features).t();
        var given = this.context is not null && context is not null
            ? nn.functional.linear(InputLimitReference.Of(context, dense.Limit).to(type), this.context.weight!.to(type)) : null;

        var examples = like.shape[0];
        var known = new GrowingColumns(examples, Features, like.dtype, like.device);
        // what the network sees of them
        var seen = dense.Limit is null ? known : new GrowingColumns(examples, Features, like.dtype, like.device);
        // what enters each linear layer: relu(h) before each block, relu(A relu(h)) within a residual one, relu(h) before the last layer
        var entering = Enumerable.Range(0, inner.Count + outer.Count + 1)
            .Select(_ => new GrowingColumns(examples, width, type, like.device))
            .ToArray();
        Tensor? total = null;
        for (var step = 0; step < Features; step++)
        {
            using var inside = NewDisposeScope();
            var (start, end) = (step == 0 ? 0 : ends[step - 1], ends[step]);
            if (end > start)
            {
                var h = Rows(layers[0], seen.Known.to(type), start, end);
                if (given is not null) h = h.add(given.narrow(1, start, end - start), Scalars.One);
                var layer = 0;
                for (var i = 0; i < inner.Count; i++)
                {
                    entering[layer].Add(Residual || i == 0 ? h.relu() : Dropped(h.relu()));
                    var a = Rows(layers[layer + 1], entering[layer++].Known, start, end);
                    if (!Residual) { h = a; continue; }
                    entering[layer].Add(Dropped(a.relu()));
                    h = h.add(Rows(layers[layer + 1], entering[layer++].Known, start, end), Scalars.One);
                }
                var final = FinalActivation ? h.relu() : h;
                entering[layer].Add(Residual || inner.Count == 0 ? final : Dropped(final));
            }
            var feature = rows[step];
            var parameters = nn.functional.linear(entering[^1].Known, outputs[feature].narrow(1, 0, entering[^1].Count),
                biases[feature]).to(like.dtype);
            var (value, logDerivative) = next(feature, parameters);
            known.Add(value);
            if (seen != known) seen.Add(InputLimitReference.Of(value, dense.Limit));
            if (logDerivative is not null)
            {
                var term = logDerivative.squeeze(1);
                total = inside.MoveToOuter(total is null ? term : total.add(term, Scalars.One));
            }
            known.Keep(inside);
            seen.Keep(inside);
            foreach (var columns in entering) columns.Keep(inside);
        }
        if (total is not null) scope.MoveToOuter(total);
        return (scope.MoveToOuter(known.Known.index_select(1, sorted.Value)), total);
    }

    /// <summary>The inverse of a map of all features, one after the other, as one operation; null if there is none for the map.</summary>
    internal SequencePlan? PlanFor(ScalarTransformer transformer)
    {
        ElementwiseMap?[] maps = [.. Enumerable.Range(0, (int)Features).Select(i => transformer.ForFeature(i).Map)];
        return SequencePlan.CanBe(maps, ParametersPerFeature)
            ? new(dense.Program, OrderOf(positions), ends, ParametersPerFeature, dense.Limit, [.. maps.Select(m => m!)]) : null;
    }

    /// <summary>Value and log-determinant of a plan; null if its kernel cannot run on these tensors. The caller disposes both.</summary>
    internal (Tensor Value, Tensor? LogDet)? TryRun(SequencePlan plan, Tensor z, Tensor? context)
    {
        if (dense.Dropout is not null || ConditionerMath.IsReduced(dense.ComputeDtype, z)) return null;
        using var scope = NewDisposeScope();
        var hasContext = dense.Uses(context);
        var all = dense.Tensors(z, hasContext ? InputLimitReference.Of(context!, dense.Limit) : null);
        if (plan.TryRun(all, hasContext) is not var (value, logDet)) return null;
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDet));
    }

    // the kernel for features one after the other, which keeps nothing for gradients
    private SequenceOperation? Sequence(Tensor like, Tensor? context)
    {
        if (is_grad_enabled() || dense.Dropout is not null || ConditionerMath.IsReduced(dense.ComputeDtype, like)) return null;
        List<Tensor> all = [like];
        foreach (var layer in Layers) all.AddRange([layer.weight!, layer.bias!]);
        if (!DenseNetwork.CanRun(dense.Program, all, false)) return null;
        var given = this.context is not null && context is not null ? this.context.call(InputLimitReference.Of(context, dense.Limit))
            : null;
        return new SequenceOperation(dense.Program, new DenseTensors(dense.Program, all, false), given, OrderOf(positions), ends,
            ParametersPerFeature, dense.Limit);
    }

    private Tensor Dropped(Tensor x) => dense.Dropout is { } on ? on.call(x) : x;

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        foreach (var constant in Constants) constant.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) foreach (var constant in Constants) constant.Dispose();
        base.Dispose(disposing);
    }

    private Linear[] Layers => Residual ? [first, .. inner.Zip(outer).SelectMany(block => new[] { block.First, block.Second }), last]
        : [first, .. inner, last];

    private Constant[] Constants => [firstMask, hiddenMask, lastMask, order, sorted];

    // the units start to end of a layer, from the columns that are known by now: all of them are unmasked
    private static Tensor Rows((Tensor Weight, Tensor Bias) layer, Tensor from, long start, long end) =>
        nn.functional.linear(from, layer.Weight.narrow(0, start, end - start).narrow(1, 0, from.shape[1]),
            layer.Bias.narrow(0, start, end - start));

    /// <summary>For each position its feature.</summary>
    internal static long[] OrderOf(long[] positions) => MaskedUnits.OrderOf(positions);

    /// <summary>For each feature its position, of a checked order; the natural one if null.</summary>
    internal static long[] PositionsOf(IReadOnlyList<long>? order, long features)
    {
        var positions = new long[features];
        if (order is null)
        {
            for (var i = 0; i < features; i++) positions[i] = i;
            return positions;
        }
        if (order.Count != features)
            throw new ArgumentException($"The order must have {features} numbers, one a feature; got {order.Count}.", nameof(order));
        Array.Fill(positions, -1);
        for (var i = 0; i < features; i++)
        {
            if (order[i] < 0 || order[i] >= features || positions[order[i]] >= 0)
                throw new ArgumentException($"The order must hold each of 0 to {features - 1} once; got {order[i]} at position {i}.",
                    nameof(order));
            positions[order[i]] = i;
        }
        return positions;
    }
}
