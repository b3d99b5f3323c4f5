using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <summary>A value of an <see cref="OnnxGraph"/>: an input, a constant, or what nodes make of them. What is computed with it becomes
/// nodes of the graph.</summary>
/// <remarks>Two values meet as tensors do: sizes are aligned at the right, and a size of 1 is spread. Both have the same dtype.</remarks>
public sealed partial class OnnxValue
{
    private readonly long[] shape;

    internal OnnxValue(OnnxGraph graph, string name, ScalarType type, long[] shape) =>
        (Graph, Name, Type, this.shape) = (graph, name, type, shape);

    /// <summary>The graph that it belongs to.</summary>
    public OnnxGraph Graph { get; }

    /// <summary>Its name in the graph.</summary>
    public string Name { get; }

    /// <summary>Its dtype.</summary>
    public ScalarType Type { get; }

    /// <summary>Its shape; a size of -1 is N, the number of examples.</summary>
    public IReadOnlyList<long> Shape => shape;

    /// <summary>The shape of one example, of a value (N, ...).</summary>
    public EventShape EventShape => EventShape.Create(shape.AsSpan(1));

    /// <summary>Its name, dtype and shape.</summary>
    public override string ToString() => $"{Name}: {Type} {EventShape.Format(shape).Replace("*", "N", StringComparison.Ordinal)}";

    /// <summary>a + b.</summary>
    public static OnnxValue operator +(OnnxValue a, OnnxValue b) => Meet("Add", a, b);

    /// <summary>a + b.</summary>
    public static OnnxValue operator +(OnnxValue a, double b) => Meet("Add", a, Number(a, b));

    /// <summary>a + b.</summary>
    public static OnnxValue operator +(double a, OnnxValue b) => Meet("Add", Number(b, a), b);

    /// <summary>a − b.</summary>
    public static OnnxValue operator -(OnnxValue a, OnnxValue b) => Meet("Sub", a, b);

    /// <summary>a − b.</summary>
    public static OnnxValue operator -(OnnxValue a, double b) => Meet("Sub", a, Number(a, b));

    /// <summary>a − b.</summary>
    public static OnnxValue operator -(double a, OnnxValue b) => Meet("Sub", Number(b, a), b);

    /// <summary>a · b, element by element.</summary>
    public static OnnxValue operator *(OnnxValue a, OnnxValue b) => Meet("Mul", a, b);

    /// <summary>a · b.</summary>
    public static OnnxValue operator *(OnnxValue a, double b) => Meet("Mul", a, Number(a, b));

    /// <summary>a · b.</summary>
    public static OnnxValue operator *(double a, OnnxValue b) => Meet("Mul", Number(b, a), b);

    /// <summary>a / b, element by element.</summary>
    public static OnnxValue operator /(OnnxValue a, OnnxValue b) => Meet("Div", a, b);

    /// <summary>a / b.</summary>
    public static OnnxValue operator /(OnnxValue a, double b) => Meet("Div", a, Number(a, b));

    /// <summary>a / b.</summary>
    public static OnnxValue operator /(double a, OnnxValue b) => Meet("Div", Number(b, a), b);

    /// <summary>−a.</summary>
    public static OnnxValue operator -(OnnxValue a)
    {
        ArgumentNullException.ThrowIfNull(a);
        return a.Apply("Neg");
    }

    /// <summary>The sum of two log-determinants or other terms, of which one that is null is 0.</summary>
    public static OnnxValue? Sum(OnnxValue? a, OnnxValue? b) => a is null ? b : b is null ? a : a + b;

    private static OnnxValue Number(OnnxValue like, double value)
    {
        ArgumentNullException.ThrowIfNull(like);
        return like.Graph.Number(value, like.Type, 0);
    }

    private static OnnxValue Meet(string operation, OnnxValue a, OnnxValue b, ScalarType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Type != b.Type) throw new ArgumentException($"Two dtypes do not meet: {a} and {b}. Use {nameof(To)}.", nameof(b));
        return a.Graph.Node(operation, [a, b], Spread(a, b), dtype ?? a.Type);
    }

    private static long[] Spread(OnnxValue a, OnnxValue b)
    {
        var result = new long[Math.Max(a.shape.Length, b.shape.Length)];
        for (var i = 1; i <= result.Length; i++)
        {
            var (m, n) = (i <= a.shape.Length ? a.shape[^i] : 1, i <= b.shape.Length ? b.shape[^i] : 1);
            if (m != n && m != 1 && n != 1) throw new ArgumentException($"Two shapes do not meet: {a} and {b}.", nameof(b));
            result[^i] = m == 1 ? n : m;
        }
        return result;
    }

    private OnnxValue Apply(string operation, params (string, object)[] attributes) =>
        Graph.Node(operation, [this], shape, Type, attributes);
}
