using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>The first part of the file of a detector, in the format of safetensors; the models of the members follow it.</summary>
internal sealed class DetectorFile
{
    // the format of these files: keys, and numbers of kinds, stay what they are
    private const string FormatKey = StateFile.DetectorKey, Format = "1", NamesKey = "columns", KindKey = "score";
    private const int LongestNames = 1 << 24;

    /// <summary>What messages call it.</summary>
    public required string Name { get; init; }

    public required IReadOnlyList<AnomalyColumn> Columns { get; init; }

    public required AnomalyScoreKind Kind { get; init; }

    public required double Typical { get; init; }

    /// <summary>The scores of the calibration in ascending order.</summary>
    public required double[] Calibration { get; init; }

    public required double[][] Grids { get; init; }

    /// <summary>For each member, whether it sees whitened columns.</summary>
    public required bool[] Whitened { get; init; }

    public required Whitening? Whitening { get; init; }

    /// <summary>The members that the options asked for; 0 in a file from before it was kept.</summary>
    public required int Asked { get; init; }

    public void Write(Stream stream)
    {
        using var scope = NewDisposeScope();
        var metadata = new Dictionary<string, string>
        {
            [FormatKey] = Format, [Checksum.Key] = "", [KindKey] = ((int)Kind).ToString(CultureInfo.InvariantCulture),
            [NamesKey] = JsonSerializer.Serialize([.. Columns.Select(c => c.Name)], DetectorFileContext.Default.StringArray),
        };
        Tensor Numbers(ReadOnlySpan<double> values) => tensor(values.ToArray(), device: CPU);
        var tensors = new Dictionary<string, Tensor>
        {
            ["calibration"] = Numbers(Calibration),
            ["typical"] = Numbers([Typical]),
            ["kinds"] = tensor([.. Columns.Select(c => (long)c.Kind)], device: CPU),
            ["noise"] = Numbers([.. Columns.Select(c => c.Noise)]),
            ["constants"] = Numbers([.. Columns.Select(c => c.Constant ?? 0)]),
            ["grid_sizes"] = tensor([.. Grids.Select(g => (long)g.Length)], device: CPU),
            ["grids"] = Numbers([.. Grids.SelectMany(g => g)]),
            ["members"] = tensor([.. Whitened.Select(w => w ? 1L : 0)], device: CPU),
            ["members_asked"] = tensor([(long)Asked], device: CPU),
        };
        if (Whitening is { } whitening)
            (tensors["whitening/mean"], tensors["whitening/deviation"], tensors["whitening/matrix"]) =
                (Numbers(whitening.Mean), Numbers(whitening.Deviation), Numbers(whitening.Matrix));
        new SafeTensorsWriter(tensors, metadata).WriteTo(stream);
    }

    /// <exception cref="InvalidDataException">It is damaged, or something else.</exception>
    public static DetectorFile Read(Stream stream)
    {
        using var file = SafeTensors.Load(stream);
        using var scope = NewDisposeScope();
        InvalidDataException Damaged(string what) => new($"{file.Name} is no file of a detector, or is damaged: {what}.");
        if (!file.Metadata.ContainsKey(FormatKey) && file.Metadata.TryGetValue(StateFile.KindKey, out var other))
            throw new InvalidDataException($"{file.Name} holds a {FileText.Name(other)}, no detector. Load it with " +
                $"{(other == StateFile.TableKind ? other : nameof(FlowModel))}.{nameof(FlowModel.Load)}.");
        if (!file.Metadata.TryGetValue(FormatKey, out var format)) throw Damaged($"'{FormatKey}' is not in its metadata");
        if (format != Format) throw Damaged($"its format is {FileText.Name(format)}, and this version of the library reads {Format}");
        double[] Numbers(string name) => file.Tensors.TryGetValue(name, out var t) && t.dim() == 1
            && t.dtype is ScalarType.Float64 or ScalarType.Int64 ? t.FetchDoubles()
            : throw Damaged($"'{name}' is missing, or is no list of numbers");
        var (calibration, typical, kinds, noise) = (Numbers("calibration"), Numbers("typical"), Numbers("kinds"), Numbers("noise"));
        var (constants, sizes, all, members) = (Numbers("constants"), Numbers("grid_sizes"), Numbers("grids"), Numbers("members"));
        var names = NamesOf(file.Metadata.GetValueOrDefault(NamesKey, "")) ?? throw Damaged("the names of its columns cannot be read");
        if (!int.TryParse(file.Metadata.GetValueOrDefault(KindKey, ""), NumberStyles.None, CultureInfo.InvariantCulture, out var score)
            || !Enum.IsDefined((AnomalyScoreKind)score)) throw Damaged("it does not say what its scores are");
        if (calibration.Length == 0 || calibration.Any(double.IsNaN) || !calibration.SequenceEqual(calibration.Order()))
            throw Damaged("the scores of its calibration are none, NaN or not in order");
        if (typical.Length != 1 || !double.IsFinite(typical[0])) throw Damaged("'typical' is no finite number");
        var count = kinds.Length;
        if (names.Length != count || noise.Length != count || constants.Length != count || kinds.Any(k => !Enum.IsDefined((ColumnKind)k))
            || noise.Any(n => !(n >= 0 && double.IsFinite(n))) || constants.Any(c => !double.IsFinite(c)))
            throw Damaged("what it says of its columns does not fit together");
        var kept = kinds.Count(k => (ColumnKind)k != ColumnKind.Constant);
        if (kept == 0 || sizes.Length != kept || sizes.Any(s => s < 1 || s > all.Length) || sizes.Sum() != all.Length
            || all.Any(v => !double.IsFinite(v)))
            throw Damaged("the values that it tries in columns do not fit together");
        if (members.Length is < 1 or > AnomalyOptions.MostMembers || members.Any(m => m is not (0 or 1)))
            throw Damaged("it does not say which members it has");
        double[] asked = file.Tensors.ContainsKey("members_asked") ? Numbers("members_asked") : [0];
        if (asked is not [>= 0 and <= AnomalyOptions.MostMembers]) throw Damaged("'members_asked' is no number of members");
        Whitening? whitening = null;
        if (members.Contains(1))
        {
            try { whitening = new(Numbers("whitening/mean"), Numbers("whitening/deviation"), Numbers("whitening/matrix")); }
            catch (ArgumentException e) { throw Damaged(e.Message.TrimEnd('.')); }
            if (whitening.Mean.Length != kept) throw Damaged("its whitening is for another number of columns");
        }
        var grids = new double[kept][];
        for (int i = 0, start = 0; i < kept; start += (int)sizes[i++]) grids[i] = all[start..(start + (int)sizes[i])];
        return new DetectorFile
        {
            Name = file.Name,
            Columns = [.. names.Select((name, c) => new AnomalyColumn
            {
                Name = name, Kind = (ColumnKind)kinds[c], Noise = noise[c],
                Constant = (ColumnKind)kinds[c] == ColumnKind.Constant ? constants[c] : null,
            })],
            Kind = (AnomalyScoreKind)score, Typical = typical[0], Calibration = calibration, Grids = grids,
            Whitened = Array.ConvertAll(members, m => m == 1), Whitening = whitening, Asked = (int)asked[0],
        };
    }

    /// <summary>Throws if a model does not fit.</summary>
    public void CheckModel(FlowModel model)
    {
        if (model.InputShape.Count != 1 || model.InputShape[0] != Grids.Length || model.ContextSize != 0)
            throw new InvalidDataException(
                $"{Name} is damaged: a model takes examples of {model.InputShape}, and there are {Grids.Length} columns for it.");
    }

    private static string[]? NamesOf(string json)
    {
        try
        {
            return json.Length <= LongestNames && JsonSerializer.Deserialize(json, DetectorFileContext.Default.StringArray) is { } names
                && !names.Any(string.IsNullOrWhiteSpace) ? names : null;
        }
        catch (JsonException) { return null; }
    }
}

/// <summary>How names are written; generated when the library is built, so that no reflection is needed.</summary>
[JsonSourceGenerationOptions(RespectNullableAnnotations = true, Converters = [typeof(TextConverter)])]
[JsonSerializable(typeof(string[]))]
internal sealed partial class DetectorFileContext : JsonSerializerContext;
