using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Makes the layers of nflows, which normflows has too, each by the names of its weights.</summary>
internal sealed class NflowsLayers(NflowsImporter options, ImportedWeights weights, bool isNormflows = false)
{
    private const int MaxDepth = 16;

    /// <summary>The layers of a transform whose names begin so, in the order in which data meet them.</summary>
    public IReadOnlyList<Bijection> Of(string at, int depth = 0)
    {
        if (depth > MaxDepth) throw weights.Fault($"its transforms are nested more than {MaxDepth} deep");
        if (weights.HasUnder(at + "_transforms."))
            return [.. Enumerable.Range(0, weights.Count(at + "_transforms.", "a transform")).SelectMany(i => Of($"{at}_transforms.{i}.",
                depth + 1))];
        if (weights.HasUnder(at + "_transform."))
            return [.. Of(at + "_transform.", depth + 1).Reverse().Select(layer => new InvertedLayer(layer))];
        if (weights.Has(at + "identity_features")) return Coupling(at);
        if (weights.HasUnder(at + "autoregressive_net.")) return [Autoregressive(at)];
        if (weights.Has(at + "_permutation")) return [Permuted(at + "_permutation")];
        if (weights.Has(at + "unconstrained_upper_diag")) return Linear(at);
        if (weights.Has(at + "_shift") && weights.Has(at + "_scale")) return [Affine(weights[at + "_scale"], weights[at + "_shift"], at)];
        if (weights.Has(at + "unconstrained_weight")) return [Normalization(at)];
        if (weights.Has(at + "log_scale") && weights.Has(at + "shift"))
        {
            weights.Pass(at, "initialized");
            return [Affine(weights[at + "log_scale"].exp(), weights[at + "shift"], at)];
        }
        throw weights.Fault($"what '{FileText.Name(at)}' is, is not known");
    }

    /// <summary>A permutation by a buffer: feature i of the output is feature p[i] of the input.</summary>
    public Permutation Permuted(string name)
    {
        var order = weights.Integers(name);
        return weights.Filled(new Permutation([order.Length], order));
    }

    /// <summary>z = x ⊙ scale + shift, as an ActNorm that is set.</summary>
    public ActNorm Affine(Tensor scale, Tensor shift, string at)
    {
        scale = scale.flatten();
        shift = shift.flatten();
        if (scale.numel() == 1 && shift.numel() > 1) scale = scale.expand(shift.shape[0]);
        if (shift.numel() == 1 && scale.numel() > 1) shift = shift.expand(scale.shape[0]);
        if (!scale.gt(Scalars.Zero).all().Fetch<bool>())
            throw weights.Fault($"a scale of '{FileText.Name(at)}' is not positive, and such a layer is not known");
        return weights.Filled(new ActNorm([scale.shape[0]]), ("log_scale", scale.log()), ("shift", shift),
            ("initialized", ones([], ScalarType.Bool)));
    }

    /// <summary>W = L·U with softplus on the diagonal of U, and a shift.</summary>
    public IReadOnlyList<Bijection> Linear(string at)
    {
        var diagonal = ScaleShiftTransformer.Softplus(weights.Of(at + "unconstrained_upper_diag", -1)).add(Scalars.Of(1e-3), Scalars.One);
        var d = (int)diagonal.shape[0];
        var lu = diagonal.log().diag();
        lu.index_put_(weights.Of(at + "lower_entries", d * (d - 1) / 2), Places(d, below: true));
        lu.index_put_(weights.Of(at + "upper_entries", d * (d - 1) / 2), Places(d, below: false));
        var linear = weights.Filled(new InvertibleLinearLayer([d]), ("lu", lu), ("permutation", Scalars.Range(d, CPU)),
            ("sign", ones(d, float64)));
        return [linear, Affine(ones(d, float64), weights.Of(at + "bias", d), at)];
    }

    // row by row, as numpy gives the indices of a triangle
    private static TensorIndex[] Places(int d, bool below)
    {
        var places = (from i in Enumerable.Range(0, d) from j in Enumerable.Range(0, d) where below ? j < i
            : j > i select (i, j)).ToArray();
        return [TensorIndex.Tensor(tensor(places.Select(p => (long)p.i).ToArray())),
            TensorIndex.Tensor(tensor(places.Select(p => (long)p.j).ToArray()))];
    }

    private ActNorm Normalization(string at)
    {
        const double eps = 1e-5;
        weights.Converted("Batch normalization between layers became a constant scale and shift, from its running statistics.");
        var scale = ScaleShiftTransformer.Softplus(weights[at + "unconstrained_weight"]).add(Scalars.Of(eps), Scalars.One)
            .div(weights[at + "running_var"].add(Scalars.Of(eps), Scalars.One).sqrt());
        return Affine(scale, weights[at + "bias"].sub(weights[at + "running_mean"].mul(scale)), at);
    }

    /// <summary>A coupling, and behind it the map of its own of what it keeps, if there is one.</summary>
    public IReadOnlyList<Bijection> Coupling(string at)
    {
        var (kept, changed) = (weights.Integers(at + "identity_features"), weights.Integers(at + "transform_features"));
        var features = kept.Length + changed.Length;
        if (!kept.Concat(changed).Order().SequenceEqual(Enumerable.Range(0, features).Select(i => (long)i)) || !IsSorted(kept)
            || !IsSorted(changed))
            throw weights.Fault($"'{FileText.Name(at)}identity_features' and transform_features do not part {features} features");
        var (parts, kind, gates, contextSize, divides) = Network(at + "transform_net.", kept.Length);
        var map = Map(parts[^1], changed.Length, divides ? parts[0].Outputs : 0, NflowsScale.Sigmoid, scaleFirst: false, at);
        parts[^1] = map.Last;
        var network = kind ? new ImportedNetwork(weights, parts, residual: true, options.Activation, contextSize, null, gates)
            : ImportedNetworks.Plain(weights, parts, options.Activation, contextSize);
        var mask = new Mask([features], [.. Enumerable.Range(0, features).Select(i => kept.Contains(i))]);
        var coupling = new CouplingLayer([features], mask, map.Transformer, network);
        return weights.HasUnder(at + "unconditional_transform.")
            ? [coupling, Unconditional(at + "unconditional_transform.", mask, kept.Length)]
            : [coupling];
    }

    /// <summary>An autoregressive layer with a MADE.</summary>
    public Bijection Autoregressive(string at)
    {
        var net = at + "autoregressive_net.";
        List<ImportedLinear> parts = [Masked(net + "initial_layer.")], gates = [];
        var (blocks, residual) = (weights.Count(net + "blocks.", "a block"), weights.HasUnder(net + "blocks.0.linear_layers."));
        for (var i = 0; i < blocks; i++)
        {
            var block = $"{net}blocks.{i}.";
            if (residual) parts.AddRange([Normed(block, 0, masked: true), Normed(block, 1, masked: true)]);
            else if (weights.HasUnder(block + "batch_norm."))
                throw weights.Fault($"'{FileText.Name(block)}' has batch normalization behind an activation, which is not known");
            else parts.Add(Masked(block + "linear."));
            if (residual && weights.Has(block + "context_layer.weight")) gates.Add(Plain(block + "context_layer."));
        }
        parts.Add(Masked(net + "final_layer."));
        var features = (int)parts[0].Inputs;
        // a MADE has no member hidden_features, so that its sizes of bins are not divided
        var map = Map(parts[^1], features, 0, NflowsScale.Softplus, scaleFirst: true, at);
        parts[^1] = map.Last;
        var order = ImportedNetworks.Order(weights, parts, features, net);
        ImportedLinear? context = weights.Has(net + "context_layer.weight") ? Plain(net + "context_layer.") : null;
        Conditioner network = context is null ? ImportedNetworks.Masked(weights, parts, residual, options.Activation, 0, order)
            : new ImportedNetwork(weights, parts, residual, options.Activation, context.Inputs, context, gates,
                isNormflows ? ImportedContext.Gate : ImportedContext.Inside);
        return new AutoregressiveLayer([features], map.Transformer, _ => network, order, context?.Inputs ?? 0);
    }

    private ImportedLinear Plain(string at) => weights.Linear(at);

    private ImportedLinear Masked(string at)
    {
        weights.Pass(at, "degrees");
        return weights.Linear(at, masked: true);
    }

    // one of the two layers of a residual block; a batch normalization stands before its activation
    private ImportedLinear Normed(string block, int i, bool masked)
    {
        var layer = masked ? Masked($"{block}linear_layers.{i}.") : Plain($"{block}linear_layers.{i}.");
        var norm = $"{block}batch_norm_layers.{i}.";
        if (!weights.HasUnder(norm)) return layer;
        weights.Converted("Batch normalization inside of networks became a scale and a shift, from its running statistics.");
        weights.Pass(norm, "num_batches_tracked");
        var n = layer.Inputs;
        var scale = weights.Of(norm + "weight", n).div(weights.Of(norm + "running_var", n).add(Scalars.Of(1e-3), Scalars.One).sqrt());
        return layer with { Norm = (scale, weights.Of(norm + "bias", n).sub(weights.Of(norm + "running_mean", n).mul(scale))) };
    }

    // the layers of a ResidualNet, an MLP or a Sequential; whether it is the first of them; and whether sizes of bins are divided
    private (List<ImportedLinear> Parts, bool Residual, List<ImportedLinear> Gates, long ContextSize, bool Divides) Network(string at,
        long inputs)
    {
        List<ImportedLinear> parts = [], gates = [];
        var residual = weights.Has(at + "initial_layer.weight") || weights.WeightNorm(at + "initial_layer.") is not null;
        if (residual)
        {
            parts.Add(Plain(at + "initial_layer."));
            for (var i = 0; i < weights.Count(at + "blocks.", "a block"); i++)
            {
                var block = $"{at}blocks.{i}.";
                parts.AddRange([Normed(block, 0, masked: false), Normed(block, 1, masked: false)]);
                if (weights.Has(block + "context_layer.weight")) gates.Add(Plain(block + "context_layer."));
            }
            parts.Add(Plain(at + "final_layer."));
        }
        else if (weights.HasUnder(at + "_input_layer."))
        {
            parts.Add(Plain(at + "_input_layer."));
            for (var i = 0; i < weights.Count(at + "_hidden_layers.", "a layer"); i++) parts.Add(Plain($"{at}_hidden_layers.{i}."));
            parts.Add(Plain(at + "_output_layer."));
        }
        else parts = Sequence(at);
        var contextSize = parts[0].Inputs - inputs;
        if (contextSize < 0) throw weights.Fault($"'{FileText.Name(at)}' takes {parts[0].Inputs} numbers, but {inputs} features are kept");
        return (parts, residual, gates, contextSize, options.DividesBinSizes ?? residual);
    }

    /// <summary>The linear layers of an <c>nn.Sequential</c>, which may stand
    /// under a name of its own: <c>0.weight</c>, <c>net.0.weight</c>.</summary>
    public List<ImportedLinear> Sequence(string at)
    {
        var start = weights.Indices(at).Length > 0 ? at : at + "net.";
        var indices = weights.Indices(start);
        if (indices.Length == 0) throw weights.Fault($"what network '{FileText.Name(at)}' is, is not known");
        for (var i = 0; i < indices.Length; i++)
            if (indices[i] != 2 * i)
                throw weights.Fault(
                    $"'{FileText.Name(start)}{indices[i]}' is no layer of a network that has a linear layer and a function in turn");
        return [.. indices.Select(i => Plain($"{start}{i}."))];
    }

    // the elementwise map, and the last layer with its outputs in our order and scale
    private (ScalarTransformer Transformer, ImportedLinear Last) Map(ImportedLinear last, int count, long hidden, NflowsScale standard,
        bool scaleFirst, string at)
    {
        var p = (int)(last.Outputs / count);
        if (p * count != last.Outputs)
            throw weights.Fault(
                $"the network of '{FileText.Name(at)}' gives {last.Outputs} numbers, which {count} features do not share evenly");
        var kind = options.Transform != NflowsTransform.FromShapes ? options.Transform
            : p switch { 1 => NflowsTransform.Additive, 2 => NflowsTransform.Affine, _ => NflowsTransform.RationalQuadratic };
        if (kind == NflowsTransform.Additive)
            return p == 1 ? (new AdditiveTransformer(), last) : throw Parameters(at, p, "an additive map has 1");
        if (kind == NflowsTransform.Affine)
        {
            if (p != 2) throw Parameters(at, p, "an affine map has 2");
            var scale = (options.Scale == NflowsScale.Default ? standard : options.Scale) switch
            {
                NflowsScale.Sigmoid => ScaleFunction.Sigmoid,
                NflowsScale.Softplus => ScaleFunction.Softplus,
                _ => ScaleFunction.SoftplusUpTo3,
            };
            // ours has all scales first; theirs all shifts first in couplings, and scale and shift in turn in autoregressive layers
            return (new ScaleShiftTransformer(scale), last.Rows([.. Enumerable.Range(0, 2 * count).Select(i => scaleFirst
                ? (2L * (i % count)) + (i / count) : (i + count) % (2 * count))]));
        }
        if ((p % 3) is 0 || p < 4) throw Parameters(at, p, "a spline of K bins has 3K - 1 with linear tails and 3K + 1 on a box");
        var bins = (p + 1) / 3;
        return (Spline(bins, linear: p % 3 == 2), Divided(last.Rows(ByParameter(p, count)), 2 * bins * count, hidden));
    }

    private ScalarTransformer Spline(int bins, bool linear)
    {
        var (low, high, tails) = linear ? (-options.TailBound, options.TailBound, SplineTails.Linear) : (0, 1, SplineTails.Box);
        var spline = new SplineTransformer(bins, low, high, tails, options.MinBinSize, options.MinDerivative);
        return options.EnableIdentityInit ? spline : new ImportedSpline(spline, null);
    }

    /// <summary>The rows of outputs that have all parameters of a feature together, by parameter.</summary>
    public static long[] ByParameter(int parameters, int features) =>
        [.. Enumerable.Range(0, parameters * features).Select(i => ((long)(i % features) * parameters) + (i / features))];

    private static ImportedLinear Divided(ImportedLinear last, int rows, long hidden)
    {
        if (hidden == 0) return last;
        var scale = ones(last.Outputs, float64);
        scale.narrow(0, 0, rows).fill_(Scalars.Of(1 / Math.Sqrt(hidden)));
        return last with { Weight = last.Weight.mul(scale.unsqueeze(1)), Bias = last.Bias.mul(scale) };
    }

    // each kept feature has a spline of its own
    private CouplingLayer Unconditional(string at, Mask mask, int count)
    {
        var (widths, heights) = (weights.Of(at + "unnormalized_widths", count, -1), weights.Of(at + "unnormalized_heights", count, -1));
        var bins = (int)widths.shape[1];
        var slopes = weights.Of(at + "unnormalized_derivatives", count, -1);
        if (heights.shape[1] != bins || slopes.shape[1] != bins - 1 && slopes.shape[1] != bins + 1)
            throw weights.Fault($"'{FileText.Name(at)}' is no rational-quadratic spline with linear tails or on a box");
        // (P·C), all first parameters before all second ones
        var value = cat([widths, heights, slopes], 1).t().contiguous().flatten();
        var network = weights.Filled(new ConstantNetwork(mask.Kept.Length - count, value.numel()), ("value", value));
        return new CouplingLayer(mask.Shape, !mask, Spline(bins, slopes.shape[1] == bins - 1), network);
    }

    private InvalidDataException Parameters(string at, int found, string expected) =>
        weights.Fault($"the network of '{FileText.Name(at)}' gives {found} numbers for each feature; {expected}");

    private static bool IsSorted(long[] numbers) => numbers.SequenceEqual(numbers.Order());
}
