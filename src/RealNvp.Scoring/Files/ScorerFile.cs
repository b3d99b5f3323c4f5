namespace RealNvp.Scoring.Files;

/// <summary>The weights of one file: those with which its training would end, by their names in the model.</summary>
/// <remarks>Nothing large is allocated because a header asks for it: memory grows with the bytes that come, unless it is known how many
/// there are. All bytes are read, and the checksum of the file, if it has one, is compared.</remarks>
internal sealed class ScorerFile
{
    private const int PieceBytes = 1 << 16;
    private const string Averaged = StateFile.AveragePrefix + "average.";

    private readonly Dictionary<string, ScorerTensor> tensors = new(StringComparer.Ordinal);

    private ScorerFile(string name, IReadOnlyDictionary<string, string> metadata, int version) =>
        (Name, Metadata, Version) = (name, metadata, version);

    /// <summary>What messages call the file.</summary>
    public string Name { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The format version.</summary>
    public int Version { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="source">It.</param>
    /// <param name="check">Looks at the metadata before anything large is read.</param>
    public static ScorerFile Read(SafeTensorsSource source, Action<IReadOnlyDictionary<string, string>, string> check)
    {
        var (header, entries) = SafeTensorsHeaderReader.Read(source);
        StateFile.CheckFormat(header.Metadata, source.Name);
        var file = new ScorerFile(source.Name, header.Metadata, StateFile.VersionOf(header.Metadata, source.Name));
        check(header.Metadata, source.Name);
        var best = entries.Any(entry => entry.Name.StartsWith(StateFile.BestPrefix, StringComparison.Ordinal));
        var checksum = Checksum.Asked(header.Metadata, source.Name);
        var averages = new Dictionary<string, ScorerTensor>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            var (section, key) = Placed(entry.Name, best);
            var tensor = section == Section.None ? null : new ScorerTensor(entry, source.Name);
            var crc = ReadData(source, entry, tensor, checksum is not null);
            checksum?.Tensor(entry.Name, entry.DType, entry.Shape, crc);
            if (tensor is not null) (section == Section.Average ? averages : file.tensors).Add(key, tensor);
        }
        checksum?.Compare(header.Metadata, source.Name);
        foreach (var (key, average) in averages)
            if (file.tensors.ContainsKey(key)) file.tensors[key] = average;
        return file;
    }

    /// <summary>The tensor with a name, once.</summary>
    /// <exception cref="InvalidDataException">The file has none, or one of another shape.</exception>
    public ScorerTensor Take(string name, params ReadOnlySpan<long> shape)
    {
        if (!tensors.Remove(name, out var tensor))
            throw new InvalidDataException($"{Name} does not fit the model that it describes: the weight {name} is missing.");
        if (!tensor.HasShape(shape))
            throw new InvalidDataException(
                $"{Name} does not fit the model that it describes: the weight {name} has the shape [{string.Join(", ", tensor.Shape)}]; " +
                $"the model has [{string.Join(", ", shape.ToArray())}].");
        return tensor;
    }

    /// <summary>The tensor with a name, which files before a version lack.</summary>
    public ScorerTensor? TakeSince(int version, string name, params ReadOnlySpan<long> shape) =>
        Version < version && !tensors.ContainsKey(name) ? null : Take(name, shape);

    /// <summary>Throws if a weight is left: the model has no such.</summary>
    public void CheckEmpty()
    {
        if (tensors.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } name)
            throw new InvalidDataException(
                $"{Name} does not fit the model that it describes: {tensors.Count} weight(s) are unknown, such as {FileText.Name(name)}.");
    }

    private static (Section Section, string Key) Placed(string name, bool best)
    {
        bool In(string prefix) => name.StartsWith(prefix, StringComparison.Ordinal);
        if (best) return In(StateFile.BestPrefix) ? (Section.Model, name[StateFile.BestPrefix.Length..]) : (Section.None, "");
        if (In(StateFile.ModelPrefix)) return (Section.Model, name[StateFile.ModelPrefix.Length..]);
        return In(Averaged) ? (Section.Average, name[Averaged.Length..]) : (Section.None, "");
    }

    private static uint ReadData(SafeTensorsSource source, TensorRecord entry, ScorerTensor? tensor, bool counts)
    {
        var crc = ~0u;
        Span<byte> piece = new byte[Math.Min(PieceBytes, entry.ByteCount)];
        long done = 0;
        for (; done < entry.ByteCount; done += piece.Length)
        {
            piece = piece[..(int)Math.Min(piece.Length, entry.ByteCount - done)];
            source.ReadExactly(piece);
            if (counts) crc = Checksum.Add(crc, piece);
            if (entry.DType == "BOOL" && piece.ContainsAnyExceptInRange((byte)0, (byte)1))
                throw new InvalidDataException(
                    $"{source.Name}: the BOOL tensor '{FileText.Name(entry.Name)}' has a byte other than 0 and 1. The file is damaged: " +
                    $"copy or save it again.");
            tensor?.Add(piece, source.Believable + done + piece.Length);
        }
        return crc;
    }

    private enum Section
    {
        None,
        Model,
        Average,
    }
}
