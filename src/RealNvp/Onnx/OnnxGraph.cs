using System.Globalization;
using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <summary>A graph of ONNX that is made node by node: inputs, constants, what <see cref="OnnxValue"/> computes of them, outputs.</summary>
/// <remarks>
/// <para>A flow makes one by <c>Flow.ToOnnx</c>; nodes can be added to it, for example a score from <c>log_prob</c>, before it is saved.
/// Its opset is 18. The number of examples N is open: a size of -1 in shapes, and "N" in files. What no output needs is not written.</para>
/// <para>Constants keep copies of the weights in memory until the graph is gone. For one thread.</para>
/// </remarks>
public sealed partial class OnnxGraph
{
    /// <summary>The opset of the graphs that are written.</summary>
    public const int Opset = 18;

    // numbers
    private const int LargeConstant = 64;

    private readonly Dictionary<(ScalarType, double, int), OnnxValue> numbers = [];
    private readonly Dictionary<string, OnnxValue> inputs = [], outputs = [];
    private readonly List<Initializer> initializers = [];
    private readonly string name;

    // the dtype of inputs and outputs
    private readonly ScalarType outside;
    private List<OnnxNode> nodes = [];
    private int next;
    private string within = "";
    private nn.Module? writing;

    /// <summary>Makes an empty graph.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="dtype">What it computes in: float32 or float64.</param>
    /// <exception cref="ArgumentException">Another dtype.</exception>
    public OnnxGraph(string name, ScalarType dtype = ScalarType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"A graph computes in float32 or float64; got {dtype}.", nameof(dtype));
        (this.name, Dtype, outside, root) = (name, dtype, dtype, nodes);
    }

    /// <summary>What the graph computes in: float32 or float64. While a flow writes itself it may be float64 in a graph of float32, see
    /// docs/onnx.md; what comes in and goes out is float32 all the same.</summary>
    public ScalarType Dtype { get; private set; }

    /// <summary>The inputs by their names.</summary>
    public IReadOnlyDictionary<string, OnnxValue> Inputs => inputs;

    /// <summary>The outputs by their names.</summary>
    public IReadOnlyDictionary<string, OnnxValue> Outputs => outputs;

    /// <summary>What the file says of itself (<c>metadata_props</c>), by keys.</summary>
    public IDictionary<string, string> Metadata { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>A sentence on the graph for people who open it.</summary>
    public string Description { get; set; } = "";

    /// <summary>Adds an input.</summary>
    /// <param name="name">Its name, which no other input or output has.</param>
    /// <param name="shape">The shape of one example; [] for one number an example.</param>
    /// <param name="dtype">Its dtype; null for that of the graph.</param>
    /// <returns>(N, ...).</returns>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public OnnxValue Input(string name, EventShape shape, ScalarType? dtype = null)
    {
        CheckName(name);
        var input = inputs[name] = new OnnxValue(this, name, dtype ?? outside, shape.WithBatch(-1));
        return dtype is null ? input.To(Dtype) : input;
    }

    /// <summary>Adds an output.</summary>
    /// <param name="name">Its name, which no other input or output has.</param>
    /// <param name="value">A value of this graph.</param>
    /// <exception cref="ArgumentException">The name is taken, or the value is of another graph.</exception>
    public void AddOutput(string name, OnnxValue value)
    {
        CheckName(name);
        Require(value);
        if (nodes != root) throw new InvalidOperationException("Outputs are added outside of loops.");
        if (IsWide && value.Type == Dtype) value = value.To(outside);
        var named = new OnnxValue(this, name, value.Type, [.. value.Shape]);
        nodes.Add(new OnnxNode("Identity", [value.Name], [name], [], within));
        outputs[name] = named;
    }

    /// <summary>Adds an input for noise that is uniform in 0 ... 1, as a dequantization takes: named <c>noise</c>, and of several
    /// <c>noise_1</c> and so on.</summary>
    /// <param name="shape">The shape of one example's noise.</param>
    public OnnxValue NoiseInput(EventShape shape) => Input(FreeName("noise"), shape);

    /// <summary>A name for an input that no input or output has: <paramref name="name"/>, or with a number behind it.</summary>
    public string FreeName(string name)
    {
        var free = name;
        for (var i = 1; inputs.ContainsKey(free) || outputs.ContainsKey(free); i++)
            free = string.Create(CultureInfo.InvariantCulture, $"{name}_{i}");
        return free;
    }

    /// <summary>A constant with the numbers of a tensor: those of floating-point dtypes in the dtype of the graph, others as they
    /// are. The tensor stays the caller's.</summary>
    /// <exception cref="ArgumentException">A complex tensor, or another that ONNX graphs of this class have no dtype for.</exception>
    public OnnxValue Constant(Tensor value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var floating = value.is_floating_point();
        if (!floating && value.dtype is not (ScalarType.Int64 or ScalarType.Bool))
            throw new ArgumentException($"A constant has a floating-point dtype, int64 or bool; got {value.dtype}.", nameof(value));
        return Constant(value, floating ? Dtype : value.dtype);
    }

    /// <summary>A constant with the numbers of a tensor in a dtype of its own.</summary>
    internal OnnxValue Constant(Tensor value, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (IsWide && dtype == ScalarType.Float64 && value.dtype == ScalarType.Float32 && value.numel() >= LargeConstant)
        {
            // as it is in the file, which so stays as small as it was; in front of any loop
            var narrow = Constant(value, ScalarType.Float32);
            var wide = Fresh("Cast", narrow.Shape, dtype);
            root.Add(new OnnxNode("Cast", [narrow.Name], [wide.Name], [("to", (long)OnnxFile.TypeOf(dtype))], within));
            return wide;
        }
        var plain = value.detach().to(CPU).to(dtype).contiguous();
        var bytes = new byte[plain.numel() * plain.element_size()];
        plain.bytes.CopyTo(bytes);
        return Constant(bytes, dtype, value.shape);
    }

    /// <summary>A number of the dtype of the graph, of shape [].</summary>
    public OnnxValue Constant(double value) => Number(value, Dtype, 0);

    /// <summary>Integers of dtype int64, (K).</summary>
    public OnnxValue Integers(params IReadOnlyList<long> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Constant(MemoryMarshal.AsBytes(values.ToArray().AsSpan()).ToArray(), ScalarType.Int64, [values.Count]);
    }

    /// <summary>A node of any operation of the opset, with one output.</summary>
    /// <param name="operation">Its name, such as "Erf".</param>
    /// <param name="inputs">What it takes, values of this graph.</param>
    /// <param name="shape">The shape of what it gives, -1 being N.</param>
    /// <param name="dtype">The dtype of what it gives.</param>
    /// <param name="attributes">Names and values: a long, a double, a string, or long[].</param>
    /// <exception cref="ArgumentException">A value of another graph.</exception>
    public OnnxValue Node(string operation, IReadOnlyList<OnnxValue> inputs, IReadOnlyList<long> shape, ScalarType dtype,
        params IReadOnlyList<(string Name, object Value)> attributes)
    {
        ArgumentException.ThrowIfNullOrEmpty(operation);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(shape);
        foreach (var input in inputs) Require(input);
        var result = Fresh(operation, shape, dtype);
        nodes.Add(new OnnxNode(operation, [.. inputs.Select(i => i.Name)], [result.Name], [.. attributes ?? []], within));
        HasWideParts |= dtype == ScalarType.Float64 && outside == ScalarType.Float32;
        return result;
    }

    /// <summary>What is written until it is disposed is named after a part, and its errors are that part's.</summary>
    internal Naming Within(nn.Module part)
    {
        var before = new Naming(this, within, writing);
        (within, writing) = ($"{within}{part.GetName()}.{next++}/", part);
        return before;
    }

    /// <summary>The error for what the part that is being written asks for.</summary>
    internal OnnxExportException Fault(string message) =>
        writing is null ? new($"The graph {message}") : new(message, writing);

    /// <summary>Whether values between inputs and outputs are float64, though these are float32.</summary>
    internal bool IsWide => Dtype != outside;

    /// <summary>Whether a node computes in float64 that no input or output asks for.</summary>
    internal bool HasWideParts { get; private set; }

    /// <summary>Whether networks compute in float32 though the values around them are float64.</summary>
    internal bool HasNarrowNetworks { get; init; }

    /// <summary>What is written until it is disposed computes in another dtype than inputs and outputs have.</summary>
    internal Width In(ScalarType dtype)
    {
        var before = Dtype;
        Dtype = dtype;
        return new Width(this, before);
    }

    /// <summary>Where the tensors of the flow are.</summary>
    internal Device Device { get; set; } = CPU;

    /// <summary>A number as a tensor of so many dimensions.</summary>
    internal OnnxValue Number(double value, ScalarType dtype, int dimensions)
    {
        // −0 and 0 are one key, and differ
        if (numbers.TryGetValue((dtype, value, dimensions), out var known) && value != 0) return known;
        byte[] bytes = dtype switch
        {
            ScalarType.Float32 => BitConverter.GetBytes((float)value),
            ScalarType.Float64 => BitConverter.GetBytes(value),
            ScalarType.Int64 => BitConverter.GetBytes((long)value),
            _ => throw new ArgumentException($"No number has the dtype {dtype} here.", nameof(dtype)),
        };
        return numbers[(dtype, value, dimensions)] = Constant(bytes, dtype, [.. Enumerable.Repeat(1L, dimensions)]);
    }

    private OnnxValue Constant(byte[] bytes, ScalarType dtype, long[] shape)
    {
        var value = new OnnxValue(this, string.Create(CultureInfo.InvariantCulture, $"{within}c{next++}"), dtype, shape);
        initializers.Add(new Initializer(value, bytes));
        return value;
    }

    private OnnxValue Fresh(string operation, IReadOnlyList<long> shape, ScalarType dtype) =>
        new(this, string.Create(CultureInfo.InvariantCulture, $"{within}{operation}_{next++}"), dtype, [.. shape]);

    private void CheckName(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (inputs.ContainsKey(name) || outputs.ContainsKey(name))
            throw new ArgumentException($"The graph has an input or an output '{name}' already.", nameof(name));
    }

    private void Require(OnnxValue value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!ReferenceEquals(value.Graph, this))
            throw new ArgumentException($"The value '{value.Name}' belongs to another graph.", nameof(value));
    }

    private sealed record Initializer(OnnxValue Value, byte[] Bytes);

    /// <summary>Puts the dtype back.</summary>
    internal readonly struct Width(OnnxGraph graph, ScalarType before) : IDisposable
    {
        public void Dispose() => graph.Dtype = before;
    }

    /// <summary>Puts the names back.</summary>
    internal readonly struct Naming(OnnxGraph graph, string within, nn.Module? writing) : IDisposable
    {
        public void Dispose() => (graph.within, graph.writing) = (within, writing);
    }
}
