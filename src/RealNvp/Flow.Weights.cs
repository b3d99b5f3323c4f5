using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Weights in a file or stream, for flows that you compose; a <see cref="FlowModel"/> is saved whole.</content>
public partial class Flow
{
    /// <summary>What the user should know about the file that the flow comes from.</summary>
    internal virtual IReadOnlyList<string> FileWarnings => [];

    /// <summary>What the file of the flow said and nobody reads, as sentences.</summary>
    internal IReadOnlyList<string> Ignored { get; set; } = [];

    /// <summary>What a file says of the flow beside its weights.</summary>
    internal Dictionary<string, string> FileMetadata() => StateFile.Metadata(GetName(), FileJson.Write(Info), FileOptions);

    /// <summary>The record that describes the flow, as JSON for its file; null for a flow that was composed.</summary>
    private protected virtual string? FileOptions => null;

    /// <summary>Writes all weights and buffers to a file, as safetensors. The file is replaced in one step.</summary>
    /// <remarks>
    /// The file does not say what the layers are: to read it, build the same flow by the same code and call
    /// <c>LoadWeights</c>. A <see cref="FlowModel"/>, such as <see cref="RealNvpModel"/>, is made from a
    /// record of options; its <c>Save</c> writes that too, and <c>FlowModel.Load</c> needs nothing else.
    /// </remarks>
    /// <param name="path">The file, usually <c>*.safetensors</c>.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed; a file that is there stays as it is.</exception>
    public void SaveWeights(string path) => SaveState(new SafeTensorsTarget(path));

    /// <summary>Writes all weights and buffers to a stream, as <see cref="SaveWeights(string)"/> to a file.</summary>
    /// <param name="stream">Where to write; it need not be seekable, and is flushed and left open.</param>
    /// <exception cref="ArgumentException">The stream is closed or cannot be written. Nothing was written.</exception>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed. Nothing was written.</exception>
    public void SaveWeights(Stream stream) => SaveState(new SafeTensorsTarget(stream));

    /// <summary>Reads weights and buffers that <c>SaveWeights</c>, a <see cref="Trainer"/>
    /// or <c>FlowModel.Save</c> wrote for a flow of the same layers.</summary>
    /// <remarks>
    /// Names, shapes and the laws of buffers (<see cref="IStateLaws"/>) are checked first: if it throws,
    /// the flow is as it was. Weights are converted to the dtype and device of the flow's. A training
    /// checkpoint gives the weights that validated best, else the averaged ones, else the last ones.
    /// </remarks>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or does not fit the flow; the message names the weight.</exception>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed.</exception>
    public void LoadWeights(string path) => LoadState(() => SafeTensorsReader.Open(path));

    /// <summary>Reads weights and buffers from a stream, as <see cref="LoadWeights(string)"/> from a file.</summary>
    /// <param name="stream">Stands at the first byte of what was saved. It need not be
    /// seekable, is read up to the last byte of that and no further, and is left open.</param>
    /// <exception cref="InvalidDataException">The data are damaged or cut off, or do not
    /// fit the flow; the message names the weight. The flow is as it was.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed.</exception>
    public void LoadWeights(Stream stream) => LoadState(() => SafeTensorsReader.Of(stream));

    /// <summary>Writes the state, and the options too if there are some.</summary>
    private protected void SaveState(SafeTensorsTarget target)
    {
        using var held = Held();
        using var scope = NewDisposeScope();
        SafeTensors.Save(target, new Dictionary<string, Tensor>(StateFile.Prefixed(StateFile.ModelPrefix, LivingState())), FileMetadata());
    }

    private void LoadState(Func<SafeTensorsReader> open)
    {
        using var held = Held();
        using var file = StateFile.Open(open);
        using var state = FileState.Best(this, file);
        var info = FlowInfo.Of(file.Metadata, file.Name, this);
        state.CopyToModule();
        Info = info;
    }
}
