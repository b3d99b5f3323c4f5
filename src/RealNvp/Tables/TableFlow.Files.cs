using System.Text.Json;
using RealNvp.Internal;
using RealNvp.Tables;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>One file with schema, preprocessing and weights.</content>
public sealed partial class TableFlow
{
    private const long SpareElements = 1 << 16, SpareTensors = 1 << 8;

    /// <summary>Writes all of it to one file, as safetensors: schema, preprocessing and weights.</summary>
    /// <param name="path">The file, which is replaced in one step.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => Save(new SafeTensorsTarget(path));

    /// <summary>Writes the same to a stream, which is flushed and left open.</summary>
    /// <param name="stream">Where to write.</param>
    public void Save(Stream stream) => Save(new SafeTensorsTarget(stream));

    /// <summary>Reads what <see cref="Save(string)"/> wrote; nothing else is needed.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The density. The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or is none of a <see cref="TableFlow"/>.</exception>
    public static TableFlow Load(string path) => Load(() => SafeTensorsReader.Open(path));

    /// <summary>Reads the same from a stream, up to its last byte and no further.</summary>
    /// <param name="stream">Stands at the first byte; it is left open.</param>
    /// <exception cref="InvalidDataException">The data are damaged, or are none of a <see cref="TableFlow"/>.</exception>
    public static TableFlow Load(Stream stream) => Load(() => SafeTensorsReader.Of(stream));

    private void Save(SafeTensorsTarget target)
    {
        using var held = flow.Held();
        using var scope = NewDisposeScope();
        SafeTensors.Save(target, new Dictionary<string, Tensor>(StateFile.Prefixed(StateFile.ModelPrefix, flow.state_dict())),
            StateFile.Metadata(nameof(TableFlow), FileJson.Write(flow.Info), file.ToJson()));
    }

    private static TableFlow Load(Func<SafeTensorsReader> open)
    {
        TorchBackend.EnsureAvailable();
        using var scope = NewDisposeScope();
        using var file = StateFile.Open(open, (metadata, name) =>
        {
            if (metadata.GetValueOrDefault(StateFile.KindKey) is var kind and not nameof(TableFlow))
                throw new InvalidDataException($"{name} holds a {FileText.Name(kind ?? "flow")}, no {nameof(TableFlow)}. Load it with " +
                    $"{nameof(FlowModel)}.{nameof(FlowModel.Load)}.");
        });
        TableFlow? made = null;
        try
        {
            var record = TableFile.Of(file.Metadata.GetValueOrDefault(StateFile.OptionsKey, "null"));
            var codecs = record.Columns.Select(c => ColumnCodec.Of(c.Schema, c.Cells, c.Numbers)).ToArray();
            var weights = file.Tensors.Values.ToArray();
            var elements = weights.Sum(w => w.numel());
            using (Weights.Seed(0))
            using (Weights.Limit(elements + SpareElements, weights.Length + SpareTensors, (2 * elements) + SpareElements))
                made = new TableFlow(record, codecs);
            using (var state = new FileState(made.flow, file, StateFile.ModelPrefix)) state.CopyToModule();
            made.flow.eval();
            return made;
        }
        catch (Exception e)
        {
            made?.Dispose();
            // each value may be read, but they do not go together
            if (e is ArgumentException or JsonException or OverflowException)
                throw new InvalidDataException(
                    $"{file.Name} is no file of a {nameof(TableFlow)}, or is damaged: {FileText.Sentence(e.Message)}", e);
            throw;
        }
    }
}
