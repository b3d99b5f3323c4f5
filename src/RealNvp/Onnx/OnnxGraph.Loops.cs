using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

public sealed partial class OnnxGraph
{
    /// <summary>Repeats a part of the graph, as for a search or for one feature after the other.</summary>
    /// <param name="most">The largest number of passes.</param>
    /// <param name="start">What the first pass gets.</param>
    /// <param name="body">
    /// Makes one pass: gets the number of the pass, from 0, of dtype int64 and shape [], and what is carried; returns what is carried on,
    /// of the same shapes and dtypes, and whether another pass is wanted, of dtype bool and shape [], or null for all of them. It may use
    /// values from outside, and what it makes cannot be used outside.
    /// </param>
    /// <returns>What the last pass carries on.</returns>
    /// <exception cref="ArgumentException">A number of passes below 1, nothing to carry, or other shapes than came.</exception>
    public IReadOnlyList<OnnxValue> Loop(long most, IReadOnlyList<OnnxValue> start,
        Func<OnnxValue, IReadOnlyList<OnnxValue>, (IReadOnlyList<OnnxValue> Next, OnnxValue? GoesOn)> body)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(body);
        if (start.Count == 0) throw new ArgumentException("A loop carries at least one value.", nameof(start));
        foreach (var value in start) Require(value);
        var (outer, inner) = (nodes, new List<OnnxNode>());
        OnnxValue pass = Fresh("pass", [], ScalarType.Int64), before = Fresh("before", [], ScalarType.Bool);
        OnnxValue[] carried = [.. start.Select(s => Fresh("carried", s.Shape, s.Type))], results;
        nodes = inner;
        try
        {
            var (values, goesOn) = body(pass, carried);
            if (values.Count != start.Count || values.Where((v, i) => v.Type != start[i].Type
                || v.Shape.Count != start[i].Shape.Count).Any())
                throw new ArgumentException("A loop carries on as many values as came, of their shapes and dtypes.", nameof(body));
            // what is carried on must be made inside
            results = [.. values.Prepend(goesOn ?? before).Select(v => Node("Identity", [v], v.Shape, v.Type))];
        }
        finally { nodes = outer; }
        OnnxValue[] last = [.. start.Select(s => Fresh("Loop", s.Shape, s.Type))];
        var condition = Constant([1], ScalarType.Bool, []);
        nodes.Add(new OnnxNode("Loop", [Number(most, ScalarType.Int64, 0).Name, condition.Name, .. start.Select(s => s.Name)],
            [.. last.Select(l => l.Name)], [], within)
        {
            Body = new OnnxBody([pass, before, .. carried], inner, [.. results.Select(r => r.Name)], results),
        });
        return last;
    }
}
