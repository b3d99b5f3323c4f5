namespace RealNvp.Onnx;

/// <summary>A node of a graph.</summary>
/// <param name="operation">Its operation.</param>
/// <param name="inputs">The names of what it takes.</param>
/// <param name="outputs">The names of what it gives.</param>
/// <param name="attributes">Its attributes.</param>
/// <param name="within">The part of the flow that it belongs to.</param>
internal sealed class OnnxNode(string operation, string[] inputs, string[] outputs, (string Name, object Value)[] attributes, string within)
{
    public string[] Outputs => outputs;

    /// <summary>The body of a loop; null for any other operation.</summary>
    public OnnxBody? Body { get; init; }

    /// <summary>All names that it reads, with those that its body takes from outside.</summary>
    public IEnumerable<string> Reads => Body is null ? inputs : inputs.Concat(Body.Nodes.SelectMany(n => n.Reads)).Concat(Body.Results);

    public ProtoMessage Message()
    {
        var node = new ProtoMessage();
        foreach (var input in inputs) node.Text(1, input);
        foreach (var output in outputs) node.Text(2, output);
        node.Text(3, outputs[0]).Text(4, operation);
        foreach (var (name, value) in attributes) node.Message(5, Attribute(name, value));
        if (Body is not null) node.Message(5, new ProtoMessage().Text(1, "body").Message(6, Body.Message(within)).Int(20, 5));
        return node;
    }

    private static ProtoMessage Attribute(string name, object value)
    {
        var message = new ProtoMessage().Text(1, name);
        switch (value)
        {
            case double number:
                return message.Float(2, (float)number).Int(20, 1);
            case long number:
                return message.Int(3, number).Int(20, 2);
            case int number:
                return message.Int(3, number).Int(20, 2);
            case string text:
                return message.Text(4, text).Int(20, 3);
            case long[] all:
                foreach (var number in all) message.Int(8, number);
                return message.Int(20, 7);
            default:
                throw new ArgumentException($"The attribute {name} is a {value.GetType().Name}; expected a long, a double, a string or " +
                    $"a long[].", nameof(value));
        }
    }
}

/// <summary>The body of a loop: a graph that sees the values of the one around it.</summary>
/// <param name="Inputs">The number of the pass, the condition, and what is carried.</param>
/// <param name="Nodes">The nodes.</param>
/// <param name="Results">The names of the condition, and of what is carried on.</param>
/// <param name="Outputs">The same as values.</param>
internal sealed record OnnxBody(OnnxValue[] Inputs, List<OnnxNode> Nodes, string[] Results, OnnxValue[] Outputs)
{
    public ProtoMessage Message(string within)
    {
        var graph = new ProtoMessage();
        foreach (var node in Nodes) graph.Message(1, node.Message());
        graph.Text(2, $"{within}body");
        foreach (var input in Inputs) graph.Message(11, OnnxFile.Described(input, isShaped: true));
        foreach (var output in Outputs) graph.Message(12, OnnxFile.Described(output, isShaped: false));
        return graph;
    }
}
