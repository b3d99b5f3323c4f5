using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tables;

/// <summary>A masked residual network over columns: the parameters of a column depend on the columns before it, on which of them are
/// missing, and on nothing else (MADE, arXiv 1502.03509, with groups of inputs and outputs in place of single ones).</summary>
/// <remarks>
/// A category is seen as one of K, a number as it is within ±<see cref="InputLimit"/>, a circle as cosines and sines, an atom as one of
/// several, a missing cell as zeros and a flag. State-dict keys: <c>first</c>, <c>inner.i</c>, <c>outer.i</c>, <c>last</c>, <c>skip</c>.
/// </remarks>
internal sealed class TableNetwork : nn.Module
{
    /// <summary>What the network sees of a number far out: x/√(1 + (x/c)²).</summary>
    private const double InputLimit = 8;

    private readonly ColumnHead[] heads;
    private readonly MaskedDense first, last, skip;
    private readonly ModuleList<MaskedDense> inner, outer;
    private readonly double dropout;

    /// <summary>Makes the network.</summary>
    /// <param name="heads">The columns in their order.</param>
    /// <param name="outputs">For each output its column.</param>
    /// <param name="hidden">The number of hidden units.</param>
    /// <param name="blocks">The number of residual blocks.</param>
    /// <param name="dropout">The part of hidden units that a step of a training leaves out, in each block.</param>
    public TableNetwork(ColumnHead[] heads, long[] outputs, int hidden, int blocks, double dropout) : base(nameof(TableNetwork))
    {
        (this.heads, this.dropout) = (heads, dropout);
        long[] inputs = [.. heads.SelectMany((h, c) => Enumerable.Repeat((long)c, InputsOf(h)))];
        // unit of degree d: it sees the first d columns
        long[] degrees = [.. Enumerable.Range(0, hidden).Select(j => (long)j * heads.Length / hidden)];
        first = new(inputs, degrees, (unit, column) => column < unit);
        (inner, outer) = ([], []);
        for (var i = 0; i < blocks; i++)
        {
            inner.Add(new(degrees, degrees, (to, from) => from <= to));
            outer.Add(new(degrees, degrees, (to, from) => from <= to));
        }
        last = new(degrees, outputs, (column, unit) => unit <= column, zero: true);
        skip = new(inputs, outputs, (column, from) => from < column, zero: true);
        RegisterComponents();
    }

    /// <summary>The parameters of all columns, (N, outputs). Runs in the caller's dispose scope.</summary>
    /// <param name="codes">(N, C).</param>
    /// <param name="known">(N, C), 1 for a known cell and 0 for a missing one.</param>
    /// <param name="generator">Of the dropout.</param>
    public Tensor Parameters(Tensor codes, Tensor known, Generator? generator)
    {
        var inputs = Inputs(codes, known);
        var h = first.call(inputs);
        for (var i = 0; i < inner.Count; i++)
            h = h.add(outer[i].call(Dropped(inner[i].call(h.relu()).relu(), generator)), Scalars.One);
        return last.call(h.relu()).add(skip.call(inputs), Scalars.One);
    }

    private Tensor Dropped(Tensor h, Generator? generator)
    {
        if (!training || dropout == 0) return h;
        var kept = Noise.Uniform(h.shape, h.dtype, h.device, generator).ge(Scalars.Of(dropout)).to(h.dtype);
        return h.mul(kept).mul(Scalars.Of(1 / (1 - dropout)));
    }

    private Tensor Inputs(Tensor codes, Tensor known)
    {
        var parts = new List<Tensor>();
        for (var c = 0; c < heads.Length; c++)
        {
            var (x, there) = (codes.narrow(1, c, 1), known.narrow(1, c, 1));
            parts.Add(cat([.. InputsOf(heads[c], x).Select(p => p.mul(there)), there.neg().add(Scalars.One, Scalars.One)], 1));
        }
        return cat(parts, 1);
    }

    private static IEnumerable<Tensor> InputsOf(ColumnHead head, Tensor x)
    {
        if (head.IsOrdered) yield return HeadMath.PlaceInOrder(x, head);
        if (head.Kind == HeadKind.Softmax) yield return x.eq(Scalars.Range(head.Levels, x.device)).to(x.dtype);
        else if (head.Kind == HeadKind.Box) yield return x.mul(Scalars.Two).sub(Scalars.One);
        else if (head.Kind == HeadKind.Circle)
            for (var times = 1; times <= 2; times++)
            {
                var angle = x.mul(Scalars.Of(2 * Math.PI * times));
                yield return angle.cos();
                yield return angle.sin();
            }
        else
        {
            var number = head.Kind == HeadKind.Cells ? HeadMath.EdgeCode(x, head) : x;
            yield return number.div(number.mul(Scalars.Of(1 / InputLimit)).pow(Scalars.Two).add(Scalars.One, Scalars.One).sqrt());
        }
        foreach (var atom in head.Atoms) yield return x.eq(Scalars.Of(atom)).to(x.dtype);
    }

    // and a flag for a missing cell
    private static int InputsOf(ColumnHead head) => 1 + head.Atoms.Length + head.Kind switch
    {
        HeadKind.Softmax => head.Levels + (head.IsOrdered ? 1 : 0),
        HeadKind.Circle => 4,
        _ => 1,
    };
}
