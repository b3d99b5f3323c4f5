using RealNvp.Internal;

namespace RealNvp.Onnx;

public sealed partial class OnnxGraph
{
    private readonly List<OnnxNode> root;

    /// <summary>Writes the graph to a file, which is replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.onnx</c>.</param>
    /// <exception cref="InvalidOperationException">The graph has no output.</exception>
    /// <exception cref="IOException">The file cannot be written; one that is there stays as it is.</exception>
    /// <exception cref="OnnxExportException">It would be larger than 2 GB.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var model = Model();
        AtomicFile.Write(path, model.WriteTo);
    }

    /// <summary>Writes the graph to a stream, which is flushed and left open.</summary>
    /// <inheritdoc cref="Save(string)"/>
    public void Save(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanWrite) throw new ArgumentException("The stream is closed or cannot be written.", nameof(stream));
        Model().WriteTo(stream);
        stream.Flush();
    }

    /// <summary>The bytes of the file.</summary>
    /// <inheritdoc cref="Save(string)" path="/exception"/>
    public byte[] ToArray()
    {
        using var stream = new MemoryStream();
        Save(stream);
        return stream.ToArray();
    }

    private ProtoMessage Model()
    {
        if (outputs.Count == 0)
            throw new InvalidOperationException($"The graph '{name}' has no output: call {nameof(AddOutput)} before it is written.");
        var (written, read) = Needed();
        var constants = initializers.Where(i => read.Contains(i.Value.Name)).ToArray();
        OnnxFile.Require(constants.Sum(c => (long)c.Bytes.Length));
        var graph = new ProtoMessage();
        foreach (var node in written) graph.Message(1, node.Message());
        graph.Text(2, name);
        foreach (var constant in constants) graph.Message(5, Tensor(constant));
        if (Description.Length > 0) graph.Text(10, Description);
        foreach (var input in inputs.Values) graph.Message(11, OnnxFile.Described(input, isShaped: true));
        foreach (var output in outputs.Values) graph.Message(12, OnnxFile.Described(output, isShaped: true));
        var model = new ProtoMessage().Int(1, OnnxFile.IrVersion).Text(2, StateFile.Format).Text(3, StateFile.Library)
            .Text(6, Description).Message(7, graph).Message(8, new ProtoMessage().Text(1, "").Int(2, Opset));
        foreach (var (key, value) in Metadata) model.Message(14, new ProtoMessage().Text(1, key).Text(2, value));
        OnnxFile.Require(model.Length);
        return model;
    }

    // nodes stand behind those that they read, so one look from the end finds all that an output needs
    private (IEnumerable<OnnxNode> Written, HashSet<string> Read) Needed()
    {
        var read = outputs.Keys.ToHashSet(StringComparer.Ordinal);
        var written = new Stack<OnnxNode>();
        for (var i = root.Count - 1; i >= 0; i--)
        {
            if (!Array.Exists(root[i].Outputs, read.Contains)) continue;
            written.Push(root[i]);
            read.UnionWith(root[i].Reads);
        }
        return (written, read);
    }

    private static ProtoMessage Tensor(Initializer constant)
    {
        var tensor = new ProtoMessage();
        foreach (var size in constant.Value.Shape) tensor.Int(1, size);
        return tensor.Int(2, OnnxFile.TypeOf(constant.Value.Type)).Text(8, constant.Value.Name).Bytes(9, constant.Bytes);
    }
}
