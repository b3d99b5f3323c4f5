using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tables;

/// <summary>
/// Columns of mixed kinds to uniform numbers, column after column: zᵢ = F(xᵢ | x before i), with the conditional distribution function F of
/// each column; log|det| = Σ log p(xᵢ | x before i), a probability where the column is discrete and a density where it is not.
/// </summary>
/// <remarks>
/// A discrete value takes a cell of [0, 1], of the size of its probability; Forward gives the middle of it, and Inverse the value for all
/// of it, so that uniform noise in the cell would give the same density for each draw: dequantization is exact here. The context says which
/// cells are known, (N, C) of 1 and 0: a missing one has no term, and the middle as its z.
/// </remarks>
internal sealed class TableLayer : Bijection
{
    private readonly ColumnHead[] heads;
    private readonly HeadLayout layout;
    private readonly TableNetwork network;
    private readonly HeadDensities densities;

    public TableLayer(ColumnHead[] heads, int bins, int hidden, int blocks, double dropout)
        : base(nameof(TableLayer), EventShape.Create(heads.Length))
    {
        this.heads = heads;
        densities = new HeadDensities(bins);
        layout = new HeadLayout(heads, densities.ParametersOf);
        network = new TableNetwork(heads, layout.Outputs, hidden, blocks, dropout);
        RegisterComponents();
    }

    public override long ContextSize => heads.Length;

    public override bool HasFastInverse => false;

    public override bool IsRepeatable => false;

    /// <summary>log p(xᵢ | x before i) of each column, (N, C), 0 for a missing cell. Runs in the caller's dispose scope.</summary>
    public Tensor Terms(Tensor codes, Tensor known, Generator? generator = null) =>
        TermsBy(network.Parameters(codes, known, generator), codes).mul(known);

    /// <summary>Fills what is not known, column after column. Runs in the caller's dispose scope, without gradients.</summary>
    /// <param name="codes">(N, C); what is not known may be anything finite.</param>
    /// <param name="known">(N, C), 1 and 0.</param>
    /// <param name="uniform">(N, C), float64 in (0, 1).</param>
    /// <returns>(N, C).</returns>
    public Tensor Fill(Tensor codes, Tensor known, Tensor uniform)
    {
        var all = ones_like(codes);
        // the columns behind are not looked at; what they hold does no harm
        var filled = codes.mul(known);
        for (var c = 0; c < heads.Length; c++)
        {
            var there = known.narrow(1, c, 1).gt(Scalars.Half);
            if (there.all().Fetch<bool>()) continue;
            using var step = NewDisposeScope();
            var drawn = Quantile(c, network.Parameters(filled, all, null), uniform.narrow(1, c, 1)).to(filled.dtype);
            filled.narrow(1, c, 1).copy_(where(there, filled.narrow(1, c, 1), drawn));
        }
        return filled;
    }

    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var known = pass.Context!;
        var parameters = network.Parameters(x, known, pass.Generator);
        var logDet = TermsBy(parameters, x).mul(known).sum([1L]);
        using (no_grad())
        {
            var z = Distribution(x, parameters.detach());
            return (where(known.gt(Scalars.Half), z, full_like(z, Scalars.Half)), logDet);
        }
    }

    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        using var gradients = no_grad();
        var least = finfo(ScalarType.Float64).eps;
        var (known, x) = (pass.Context!, zeros_like(z));
        var u = z.to(float64).clamp(Scalars.Of(least), Scalars.Of(1 - least));
        // a missing cell has nothing to come back to, and the columns behind it know as little of it as in Forward
        for (var c = 0; c < heads.Length; c++)
        {
            using var step = NewDisposeScope();
            x.narrow(1, c, 1).copy_(Quantile(c, network.Parameters(x, known, null), u.narrow(1, c, 1)).to(x.dtype)
                .mul(known.narrow(1, c, 1)));
        }
        return (x, Terms(x, known).sum([1L]).neg());
    }

    private Tensor TermsBy(Tensor parameters, Tensor x)
    {
        var terms = new Tensor[heads.Length];
        foreach (var group in layout.Groups)
        {
            var values = densities.LogDensity(group, heads, Columns(x, group), parameters.narrow(1, group.Start, group.Outputs));
            for (var i = 0; i < group.Columns.Length; i++) terms[group.Columns[i]] = values.narrow(1, i, 1);
        }
        for (var c = 0; c < heads.Length; c++)
        {
            if (HeadLayout.LogitsOf(heads[c]) == 0) continue;
            var log = LogProbabilities(c, parameters);
            var code = x.narrow(1, c, 1);
            if (heads[c].Kind == HeadKind.Softmax)
            {
                terms[c] = log.gather(1, Place(code, heads[c]));
                continue;
            }
            var (other, one) = (terms[c].add(log.narrow(1, 0, 1), Scalars.One), AtomOf(c, code));
            var atom = log.gather(1, one);
            // a whole number that is an atom has the probability of its cell too
            if (heads[c].Kind == HeadKind.Cells) atom = logaddexp(atom, other);
            terms[c] = where(one.gt(Scalars.Half), atom, other);
        }
        return cat(terms, 1);
    }

    private Tensor Distribution(Tensor x, Tensor parameters)
    {
        var all = new Tensor[heads.Length];
        foreach (var group in layout.Groups)
        {
            var values = densities.Distribution(group, heads, Columns(x, group), parameters.narrow(1, group.Start, group.Outputs));
            for (var i = 0; i < group.Columns.Length; i++) all[group.Columns[i]] = values.narrow(1, i, 1);
        }
        for (var c = 0; c < heads.Length; c++)
        {
            if (HeadLayout.LogitsOf(heads[c]) == 0) continue;
            var probabilities = LogProbabilities(c, parameters).exp();
            var code = x.narrow(1, c, 1);
            var place = heads[c].Kind == HeadKind.Softmax ? Place(code, heads[c]) : AtomOf(c, code);
            var middle = probabilities.cumsum(1).sub(probabilities.mul(Scalars.Half)).gather(1, place);
            // what is no atom has the first cell, and its own place there
            all[c] = heads[c].Kind == HeadKind.Softmax ? middle
                : where(place.gt(Scalars.Half), middle, all[c].mul(probabilities.narrow(1, 0, 1)));
        }
        return cat(all, 1).clamp(Scalars.Zero, Scalars.One);
    }

    // the code of a column for u (N, 1)
    private Tensor Quantile(int c, Tensor parameters, Tensor u)
    {
        var head = heads[c];
        var count = HeadLayout.LogitsOf(head);
        var place = (Tensor?)null;
        if (count > 0)
        {
            var probabilities = LogProbabilities(c, parameters).to(float64).exp();
            probabilities = probabilities.div(probabilities.sum(1, keepdim: true));
            var ends = probabilities.cumsum(1);
            place = ends.narrow(1, 0, count - 1).le(u).sum(1, keepdim: true);
            if (head.Kind == HeadKind.Softmax) return place;
            u = u.div(probabilities.narrow(1, 0, 1));
        }
        var group = layout.Groups.Single(g => g.Columns.Contains(c));
        var own = parameters.narrow(1, group.Start, group.Outputs).reshape(-1, group.PerColumn, group.Columns.Length)
            .select(2, Array.IndexOf(group.Columns, c)).contiguous();
        var least = finfo(ScalarType.Float64).eps;
        var number = densities.Quantile(head, own, u.clamp(Scalars.Of(least), Scalars.Of(1 - least)));
        if (place is null) return number;
        var atoms = tensor([0, .. head.Atoms], device: CPU).to(u.device).index_select(0, place.flatten()).unsqueeze(1);
        return where(place.gt(Scalars.Half), atoms, number);
    }

    private Tensor LogProbabilities(int c, Tensor parameters)
    {
        var (first, count) = (layout.LogitsAt(c), HeadLayout.LogitsOf(heads[c]));
        var logits = parameters.narrow(1, first, count);
        if (heads[c].IsOrdered)
        {
            var t = HeadMath.PlaceInOrder(Scalars.Range(count, parameters.device, 0, parameters.dtype), heads[c]).unsqueeze(0);
            logits = logits.add(parameters.narrow(1, first + count, 1).mul(t), Scalars.One)
                .add(parameters.narrow(1, first + count + 1, 1).mul(t.pow(Scalars.Two)), Scalars.One);
        }
        return logits.log_softmax(1);
    }

    private static Tensor Place(Tensor code, ColumnHead head) =>
        code.to(int64).clamp(Scalars.IntegerZero, Scalars.Integer(head.Levels - 1));

    // 0 for what is no atom, and the number of an atom from 1
    private Tensor AtomOf(int c, Tensor code)
    {
        var place = zeros_like(code);
        for (var i = 0; i < heads[c].Atoms.Length; i++) place = place.add(code.eq(Scalars.Of(heads[c].Atoms[i])), Scalars.Of(i + 1));
        return place.to(int64);
    }

    private static Tensor Columns(Tensor x, HeadGroup group) => cat([.. group.Columns.Select(c => x.narrow(1, c, 1))], 1);
}
