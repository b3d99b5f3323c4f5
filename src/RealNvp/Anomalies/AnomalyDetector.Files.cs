using RealNvp.Anomalies;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Files of detectors: <see cref="DetectorFile"/>, and behind it the models of the members.</content>
public sealed partial class AnomalyDetector
{
    /// <summary>Writes the detector to one file: columns, calibration and models.</summary>
    /// <param name="path">The file, which is replaced in one step.</param>
    /// <exception cref="InvalidOperationException">The flow is none that is built from a record of options.</exception>
    /// <exception cref="ObjectDisposedException">A flow is disposed; a file that is there stays as it is.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => Save(new SafeTensorsTarget(path));

    /// <summary>Writes the detector to a stream, which is flushed and left open.</summary>
    /// <param name="stream">Where to write; it need not be seekable.</param>
    /// <inheritdoc cref="Save(string)" path="/exception"/>
    public void Save(Stream stream) => Save(new SafeTensorsTarget(stream));

    /// <summary>Reads a detector that <see cref="Save(string)"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <param name="device">Where to put the models; null for the CPU.</param>
    /// <returns>The detector. The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or is none of a detector.</exception>
    public static AnomalyDetector Load(string path, Device? device = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        PathCheck.Readable(path);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var detector = Load(stream, device);
        if (stream.Position == stream.Length) return detector;
        detector.Dispose();
        throw new InvalidDataException(
            $"{path} is damaged: there are {stream.Length - stream.Position} bytes behind the last model of the detector.");
    }

    /// <summary>Reads a detector from a stream, up to its last byte and no further.</summary>
    /// <param name="stream">Stands at the first byte; it need not be seekable, and is left open.</param>
    /// <param name="device">Where to put the models; null for the CPU.</param>
    /// <returns>The detector. The caller disposes it.</returns>
    /// <inheritdoc cref="Load(string, Device)" path="/exception"/>
    public static AnomalyDetector Load(Stream stream, Device? device = null)
    {
        TorchBackend.EnsureAvailable();
        var file = DetectorFile.Read(stream);
        var members = new List<DetectorMember>();
        try
        {
            foreach (var whitened in file.Whitened)
            {
                var model = FlowModel.Load(stream, device);
                members.Add(new DetectorMember(model, whitened ? file.Whitening : null));
                file.CheckModel(model);
            }
            return new AnomalyDetector([.. members], ownsFlows: true, file.Columns, file.Kind, file.Typical, file.Grids,
                _ => file.Calibration, file.Asked);
        }
        catch
        {
            foreach (var member in members) member.Flow.Dispose();
            throw;
        }
    }

    private void Save(SafeTensorsTarget target)
    {
        FlowModel[] models = [.. members.Select(m => m.Flow as FlowModel
            ?? throw new InvalidOperationException(
                $"{m.Flow.GetName()} was composed by hand, so a file cannot hold what it is made of. Save its weights by " +
                $"{nameof(Flow.SaveWeights)}, and make a detector of it again by {nameof(Calibrate)}."))];
        using var held = new HeldFlows(models);
        var file = new DetectorFile
        {
            Name = nameof(AnomalyDetector), Columns = Columns, Kind = Kind, Typical = typical, Calibration = calibration, Grids = grids,
            Whitened = [.. members.Select(m => m.Whitening is not null)], Asked = asked,
            Whitening = members.FirstOrDefault(m => m.Whitening is not null)?.Whitening,
        };
        target.Write(stream =>
        {
            file.Write(stream);
            foreach (var model in models) model.Save(stream);
        });
    }
}
