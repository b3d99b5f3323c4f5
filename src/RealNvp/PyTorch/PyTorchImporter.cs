using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Makes a flow from a state dict of another library: what the shapes of the weights tell is found out, what they do not tell is a
/// member of the record.
/// </summary>
/// <typeparam name="TFlow">The class of the flow.</typeparam>
/// <remarks>
/// <c>using var imported = new NflowsImporter { TailBound = 3 }.Load("flow.pt");</c>. Importers are <see cref="NflowsImporter"/>,
/// <see cref="ZukoImporter"/>, <see cref="NormflowsImporter"/>, <see cref="RealNvpImporter"/> and <see cref="GlowImporter"/>. Masks and
/// permutations in the file are compared with the flow, so that a wrong architecture is refused and not imported. They are safe for use
/// from several threads at once.
/// </remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "library")]
[JsonDerivedType(typeof(NflowsImporter), "nflows")]
[JsonDerivedType(typeof(NormflowsImporter), "normflows")]
[JsonDerivedType(typeof(ZukoImporter), "zuko")]
public abstract record PyTorchImporter<TFlow> where TFlow : Flow
{
    private protected PyTorchImporter() { }

    /// <summary>The key of the state dict in a file that holds several values, such as <c>model</c> for <c>{'model': state_dict, 'epoch':
    /// 3}</c>, or <c>ema.model</c> for one deeper in. Null takes the only one that there is, or the only one that is the least deep.
    /// </summary>
    [JsonIgnore]
    public string? StateDict { get; init; }

    /// <summary>What stands before the flow's names, such as <c>module.</c> or <c>net.</c>, with its last dot. Null finds out.</summary>
    [JsonIgnore]
    public string? Prefix { get; init; }

    /// <summary>Refuses a state dict with tensors that belong to no part of the flow; false leaves them out, and reports them.</summary>
    [JsonIgnore]
    public bool Strict { get; init; } = true;

    /// <summary>Reads a state dict from a file and makes the flow.</summary>
    /// <param name="path">A file of <c>torch.save</c> (<c>.pt</c>, <c>.pth</c>) or of safetensors; its first bytes tell which.</param>
    /// <returns>The flow and a report. The caller disposes it, and the flow with it.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no flow that this
    /// importer knows with these options. The message names what lacks or is too much.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public ImportedFlow<TFlow> Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (IsPyTorch(path))
        {
            using var file = PyTorchFile.Load(path);
            return Load(file);
        }
        using var tensors = SafeTensors.Load(path);
        return Import(tensors.Tensors, tensors.Name);
    }

    /// <summary>Makes the flow from a file that was read.</summary>
    /// <param name="file">It is read, not disposed.</param>
    /// <returns>The flow and a report. The caller disposes it, and the flow with it.</returns>
    /// <exception cref="InvalidDataException">It holds no flow that this importer knows with these options.</exception>
    public ImportedFlow<TFlow> Load(PyTorchFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Import(PyTorch.StateDicts.Of(file, StateDict), file.Name);
    }

    /// <summary>Makes the flow from a state dict.</summary>
    /// <param name="stateDict">The tensors by name. They are read, not disposed, and the flow shares no memory with them.</param>
    /// <returns>The flow and a report. The caller disposes it, and the flow with it.</returns>
    /// <exception cref="InvalidDataException">It holds no flow that this importer knows with these options.</exception>
    public ImportedFlow<TFlow> FromStateDict(IReadOnlyDictionary<string, Tensor> stateDict)
    {
        ArgumentNullException.ThrowIfNull(stateDict);
        foreach (var (name, tensor) in stateDict)
            if (tensor is null || tensor.IsInvalid)
                throw new ArgumentException($"The tensor '{FileText.Name(name)}' is null or disposed.", nameof(stateDict));
        return Import(stateDict, "The state dict");
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public sealed override string ToString() => Describing.RecordText.Of(GetType().Name, PrintMembers);

    /// <summary>The library, as messages call it.</summary>
    internal abstract string Library { get; }

    /// <summary>Texts with which a name of each flow of the library goes on after the prefix.</summary>
    private protected abstract IReadOnlyList<string> Anchors { get; }

    /// <summary>Throws <see cref="ArgumentException"/> for a member that is out of range.</summary>
    internal virtual void CheckMembers() { }

    /// <summary>Throws for the bound of a spline that is none.</summary>
    private protected static void CheckBound(double bound, string parameter)
    {
        if (!(bound > 0 && double.IsFinite(bound)))
            throw new ArgumentException(FormattableString.Invariant($"{parameter} must be positive; got {bound}."), parameter);
    }

    /// <summary>Throws for a value of an enumeration that has no name.</summary>
    private protected static void CheckDefined<T>(T value, string parameter) where T : struct, Enum
    {
        if (!Enum.IsDefined(value)) throw new ArgumentException($"{parameter} must be a defined value; got {value}.", parameter);
    }

    /// <summary>Makes the flow, whose parts have the dtype of the weights. Runs in a dispose scope and without gradients.</summary>
    private protected abstract TFlow Build(ImportedWeights weights);

    private ImportedFlow<TFlow> Import(IReadOnlyDictionary<string, Tensor> tensors, string source)
    {
        CheckMembers();
        TorchBackend.EnsureAvailable();
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var weights = new ImportedWeights(tensors, source, Library, Prefix, Anchors);
        // only so that what was made can be freed: the sizes are those of the tensors
        using var budget = Weights.Limit(long.MaxValue, int.MaxValue, long.MaxValue);
        Flow? built = null;
        try
        {
            var flow = Build(weights);
            built = flow;
            flow.to(weights.DType);
            Weights.MakeConstants();
            flow.eval();
            return new ImportedFlow<TFlow>(flow, weights.Report(Strict));
        }
        catch (Exception e)
        {
            built?.Dispose();
            weights.Abandon();
            Weights.Abandon();
            // a part that does not fit the others
            if (e is ArgumentException or OverflowException or ExternalException or InvalidOperationException)
                throw new InvalidDataException(
                    $"{source} holds no flow of {Library} that can be built: {FileText.Sentence(e.Message.Split('\n')[0])}", e);
            throw;
        }
    }

    private static bool IsPyTorch(string path)
    {
        PathCheck.Readable(path, "file of weights");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        Span<byte> first = stackalloc byte[9];
        var read = stream.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
        return read < first.Length || first[8] != '{';
    }
}
