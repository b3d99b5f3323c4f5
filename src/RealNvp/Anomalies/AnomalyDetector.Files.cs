using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Files of detectors: that of the model, and behind it one of the calibration.</content>
public sealed partial class AnomalyDetector
{
    private const string FormatKey = "realnvp.detector", Format = "1", NamesKey = "realnvp.detector.columns";

    /// <summary>Writes the detector to one file, which holds the model first: <see cref="FlowModel.Load(Stream, Device)"/> reads it
    /// from there too.</summary>
    /// <param name="path">The file, which is replaced in one step.</param>
    /// <exception cref="InvalidOperationException">The flow is none that is built from a record of options.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => Save(new SafeTensorsTarget(path));

    /// <summary>Writes the detector to a stream, which is flushed and left open.</summary>
    /// <inheritdoc cref="Save(string)"/>
    public void Save(Stream stream) => Save(new SafeTensorsTarget(stream));

    /// <summary>Reads a detector that <see cref="Save(string)"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <param name="device">Where to put the model; null for the CPU.</param>
    /// <returns>The detector. The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or is none of a detector.</exception>
    public static AnomalyDetector Load(string path, Device? device = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        PathCheck.Readable(path);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return Load(stream, device);
    }

    /// <summary>Reads a detector from a stream, up to its last byte and no further.</summary>
    /// <param name="stream">Stands at the first byte; it is left open.</param>
    /// <param name="device">Where to put the model; null for the CPU.</param>
    /// <inheritdoc cref="Load(string, Device)"/>
    public static AnomalyDetector Load(Stream stream, Device? device = null)
    {
        var model = FlowModel.Load(stream, device);
        try
        {
            using var file = SafeTensors.Load(stream);
            return Of(model, file);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private void Save(SafeTensorsTarget target)
    {
        if (Flow is not FlowModel model)
            throw new InvalidOperationException(
                $"{Flow.GetName()} was composed by hand, so a file cannot hold what it is made of. Save its weights by " +
                $"{nameof(RealNvp.Flow.SaveWeights)}, and make a detector of it again by {nameof(Calibrate)}.");
        using var scope = NewDisposeScope();
        var metadata = new Dictionary<string, string> { [FormatKey] = Format, [Checksum.Key] = "" };
        for (var c = 0; c < Columns.Count; c++) metadata[$"{NamesKey}.{c}"] = Columns[c].Name;
        var tensors = new Dictionary<string, Tensor>
        {
            ["calibration"] = tensor(calibration, device: CPU),
            ["kinds"] = tensor([.. Columns.Select(c => (long)c.Kind)], device: CPU),
            ["noise"] = tensor([.. Columns.Select(c => c.Noise)], device: CPU),
            ["constants"] = tensor([.. Columns.Select(c => c.Constant ?? 0)], device: CPU),
            ["grid_sizes"] = tensor([.. grids.Select(g => (long)g.Length)], device: CPU),
            ["grids"] = tensor([.. grids.SelectMany(g => g)], device: CPU),
        };
        var writer = new SafeTensorsWriter(tensors, metadata);
        target.Write(stream =>
        {
            model.Save(stream);
            writer.WriteTo(stream);
        });
    }

    private static AnomalyDetector Of(FlowModel model, SafeTensorsFile file)
    {
        InvalidDataException Damaged(string what) => new($"{file.Name} is no file of a detector, or is damaged: {what}.");
        if (!file.Metadata.TryGetValue(FormatKey, out var format)) throw Damaged($"'{FormatKey}' is not in its metadata");
        if (format != Format) throw Damaged($"its format is {format}, and this version of the library reads {Format}");
        double[] Numbers(string name) => file.Tensors.TryGetValue(name, out var t) && t is { dtype: ScalarType.Float64 or ScalarType.Int64 }
            && t.dim() == 1
            ? t.FetchDoubles() : throw Damaged($"'{name}' is missing, or is no list of numbers");
        var (calibration, kinds, noise) = (Numbers("calibration"), Numbers("kinds"), Numbers("noise"));
        var (constants, sizes, all) = (Numbers("constants"), Numbers("grid_sizes"), Numbers("grids"));
        var count = kinds.Length;
        if (calibration.Length == 0 || calibration.Any(double.IsNaN) || !calibration.SequenceEqual(calibration.Order()))
            throw Damaged("the scores of its calibration are none, NaN or not in order");
        if (noise.Length != count || constants.Length != count || kinds.Any(k => !Enum.IsDefined((ColumnKind)k))
            || noise.Any(n => !(n >= 0 && double.IsFinite(n))) || constants.Any(c => !double.IsFinite(c)))
            throw Damaged("what it says of its columns does not fit together");
        if (sizes.Length != kinds.Count(k => (ColumnKind)k != ColumnKind.Constant) || sizes.Any(s => s < 1) || sizes.Sum() != all.Length
            || all.Any(v => !double.IsFinite(v)))
            throw Damaged("the values that it tries in columns do not fit together");
        if (model.InputShape.Count != 1 || model.InputShape[0] != sizes.Length || model.ContextSize != 0)
            throw Damaged($"the model takes examples of {model.InputShape}, and there are {sizes.Length} columns for it");
        var columns = Enumerable.Range(0, count).Select(c => new AnomalyColumn
        {
            Name = file.Metadata.TryGetValue($"{NamesKey}.{c}", out var name) ? name : throw Damaged($"column {c} has no name"),
            Kind = (ColumnKind)kinds[c], Noise = noise[c], Constant = (ColumnKind)kinds[c] == ColumnKind.Constant ? constants[c] : null,
        }).ToArray();
        var grids = new double[sizes.Length][];
        var start = 0;
        for (var i = 0; i < grids.Length; start += (int)sizes[i++]) grids[i] = all[start..(start + (int)sizes[i])];
        return new AnomalyDetector(model, ownsFlow: true, columns, calibration, grids);
    }
}
