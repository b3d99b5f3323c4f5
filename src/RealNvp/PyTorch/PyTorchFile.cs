using RealNvp.PyTorch;
using TorchSharp;

namespace RealNvp;

/// <summary>
/// What a file of PyTorch's <c>torch.save</c> holds (<c>.pt</c>, <c>.pth</c>): named tensors, and the dictionary around them if it holds
/// more than a state dict. Nothing in a file is run.
/// </summary>
/// <remarks>
/// <para>Read are tensors and parameters of all dtypes that tensors here can have, of any strides, those that share memory too, and
/// dictionaries, lists, tuples, numbers, texts, booleans and None. Everything else is refused by the name of its Python class or function,
/// so a file from a stranger is safe to read: everything in it is checked before it is used, and no more memory is allocated than the file
/// is large. Both formats are read: the zip archive of PyTorch 1.6 and later, and the older one. A file of whole modules
/// (<c>torch.save(model)</c>) and TorchScript are refused: save <c>model.state_dict()</c>.</para>
/// <para>It owns its tensors: <see cref="Dispose"/> disposes them all. A tensor that shall live longer is taken with <c>clone()</c>. The
/// tensors were made in the dispose scope of the caller of <c>Load</c>, if there was one, and end with it too. Safe for use from several
/// threads at once.</para>
/// <para>For flows of nflows, zuko, normflows, chrischute/real-nvp and glow-pytorch there are importers, such as
/// <see cref="NflowsImporter"/>, which read such a file themselves.</para>
/// </remarks>
public sealed class PyTorchFile : IDisposable
{
    private readonly IReadOnlyCollection<torch.Tensor> owned;

    private PyTorchFile(string name, object? value, IReadOnlyDictionary<string, torch.Tensor> tensors,
        IReadOnlyCollection<torch.Tensor> owned) =>
        (Name, Value, Tensors, this.owned) = (name, value, tensors, owned);

    /// <summary>What messages call the file.</summary>
    internal string Name { get; }

    /// <summary>
    /// What was saved: a tensor, null, bool, long (<see cref="System.Numerics.BigInteger"/> if it has more than 64 bits), double, string,
    /// an <c>IReadOnlyList&lt;object?&gt;</c> for a list or a tuple, or an <c>IReadOnlyDictionary&lt;object, object?&gt;</c> in the file's
    /// order, with keys that are string, long or bool.
    /// </summary>
    public object? Value { get; }

    /// <summary>
    /// All tensors, on the CPU and without gradient, by the keys on the way to them with dots between: <c>net.0.weight</c> in a state dict,
    /// <c>model.net.0.weight</c> if the file holds <c>{'model': state_dict, 'epoch': 3}</c>. This object keeps their ownership.
    /// </summary>
    /// <remarks>Tensors that share memory in the file do so here, and have the strides of the file.</remarks>
    public IReadOnlyDictionary<string, torch.Tensor> Tensors { get; }

    /// <summary>The tensor with this name; this object keeps its ownership.</summary>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    public torch.Tensor this[string name] => Tensors.TryGetValue(name, out var tensor) ? tensor
        : throw new KeyNotFoundException(
            $"The file has no tensor '{name}'; it has {Tensors.Count} tensors: " +
            $"{string.Join(", ", Tensors.Keys.Take(10).Select(FileText.Name))}{(Tensors.Count > 10 ? ", ..." : "")}.");

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file, usually <c>*.pt</c> or <c>*.pth</c>.</param>
    /// <returns>Its tensors and values. The caller disposes it, and the tensors with it.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, is none of <c>torch.save</c>, or holds what is not read; the message
    /// names it. No tensor is left.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static PyTorchFile Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        PathCheck.Readable(path, "file of torch.save");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return Load(stream, $"'{path}'");
    }

    /// <summary>Reads a file from a stream.</summary>
    /// <param name="stream">Stands at the first byte of the file, which ends where the stream ends. It must be seekable, and is left
    /// open.</param>
    /// <returns>Its tensors and values. The caller disposes it, and the tensors with it.</returns>
    /// <exception cref="InvalidDataException">As for a path.</exception>
    /// <exception cref="ArgumentException">The stream is closed, cannot be read, or is not seekable.</exception>
    public static PyTorchFile Load(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanRead || !stream.CanSeek)
            throw new ArgumentException(
                $"The {stream.GetType().Name} is closed, or cannot be read from any place, which a file of torch.save needs. Copy it " +
                $"into a MemoryStream or a file first.", nameof(stream));
        return Load(stream, stream is FileStream file ? $"'{file.Name}'" : "The stream");
    }

    /// <summary>Disposes all tensors. A second call does nothing.</summary>
    public void Dispose()
    {
        foreach (var tensor in owned) tensor.Dispose();
    }

    private static PyTorchFile Load(Stream stream, string name)
    {
        TorchBackend.EnsureAvailable();
        PyTorchTensors? tensors = null;
        try
        {
            using var source = PyTorchSource.Of(stream);
            using var made = tensors = new PyTorchTensors(source, stream.Length);
            var values = new PyTorchValues(tensors, source.PickleBytes);
            return new PyTorchFile(name, values.Of(source.Value), values.Named, tensors.All);
        }
        catch (Exception e)
        {
            foreach (var tensor in tensors?.All ?? []) tensor.Dispose();
            // EndOfStreamException, and what ZipArchive throws for an archive that is cut off or forged
            if (e is FormatException or InvalidDataException or EndOfStreamException or NotSupportedException or OverflowException
                or ArgumentException)
                throw new InvalidDataException(
                    $"{name} is no file of torch.save that can be read: {FileText.Sentence(e.Message.TrimEnd('.'))}.", e);
            throw;
        }
    }
}
