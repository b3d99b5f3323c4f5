using System.Text.Json;
using static TorchSharp.torch;

namespace RealNvp.Samples.Table;

/// <summary>What a model's file says about the table that it was trained on: beside the model, in the metadata of the same file.</summary>
/// <param name="Columns">The names of the features, in the order of the model.</param>
/// <param name="HeldOut">101 quantiles of log p(x) of the held-out normal rows, rising: by them new rows are called usual or not.</param>
internal sealed record TableFile(IReadOnlyList<string> Columns, IReadOnlyList<double> HeldOut)
{
    private const string Key = "table";
    private const int Steps = 100;

    public static TableFile Of(IReadOnlyList<string> columns, IEnumerable<double> logProb)
    {
        var sorted = logProb.Order().ToArray();
        return new TableFile(columns, [.. Enumerable.Range(0, Steps + 1).Select(i => Math.Max(double.MinValue,
            sorted[(int)Math.Round((sorted.Length - 1) * (double)i / Steps)]))]);
    }

    /// <summary>The share of held-out normal rows that are more usual than a row with
    /// this log p(x): 0 for a usual row, 1 for one like none of them.</summary>
    public double Unusual(double logProb) => HeldOut.Count(q => q > logProb) / (double)HeldOut.Count;

    /// <summary>Writes a model and its table to one file.</summary>
    public void Save(FlowModel model, string path)
    {
        model.Save(path);
        using var file = SafeTensors.Load(path);
        SafeTensors.Save(path, file.Tensors, new Dictionary<string, string>(file.Metadata) { [Key] = JsonSerializer.Serialize(this) });
    }

    /// <summary>Reads a model and its table; null if the file holds a model alone.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or its model is none of tables.</exception>
    public static (FlowModel Model, TableFile? Table) Load(string path, Device device)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no model {path}. Train one first, or name another with --load.", path);
        TableFile? table = null;
        if (SafeTensors.ReadHeader(path).Metadata.TryGetValue(Key, out var json))
            try
            {
                table = JsonSerializer.Deserialize<TableFile>(json);
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{path}: what it says about its table is damaged ({e.Message}). Train the model again.", e);
            }
        var model = FlowModel.Load(path, device);
        string? fault = model.InputShape.Count != 1 ? $"holds a model of images {model.InputShape}, not of tables"
            : model.ContextSize > 0 ? $"holds a model with {model.ContextSize} context features, which this program does not give"
            : table is not null && (table.Columns?.Count != model.InputShape[0] || table.HeldOut is null)
                ? "names other columns than its model has. Train the model again"
            : null;
        if (fault is null) return (model, table);
        model.Dispose();
        throw new InvalidDataException($"{path} {fault}.");
    }
}
