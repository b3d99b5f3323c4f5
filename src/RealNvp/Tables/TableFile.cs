using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp.Tables;

/// <summary>A column in the file of a table's density.</summary>
internal sealed record TableFileColumn
{
    public required ColumnSchema Schema { get; init; }

    public required TableCellKind Cells { get; init; }

    public required ColumnNumbers Numbers { get; init; }
}

/// <summary>What the file of a table's density says beside its weights.</summary>
internal sealed record TableFile
{
    public const int CurrentVersion = 1;

    public required int Version { get; init; }

    /// <summary>The columns in the order of the schema.</summary>
    public required TableFileColumn[] Columns { get; init; }

    /// <summary>The places in it in the order of the density.</summary>
    public required int[] Order { get; init; }

    public required int Bins { get; init; }

    public required int Hidden { get; init; }

    public required int Blocks { get; init; }

    public required double Dropout { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, TableFileContext.Default.TableFile);

    /// <exception cref="JsonException">It is no such record.</exception>
    /// <exception cref="ArgumentException">Its values do not go together.</exception>
    public static TableFile Of(string json)
    {
        var file = JsonSerializer.Deserialize(json, TableFileContext.Default.TableFile)
            ?? throw new JsonException("The JSON value is null.");
        if (file.Version != CurrentVersion)
            throw new ArgumentException($"it is of version {file.Version}, and this library reads {CurrentVersion}. Update the library");
        if (file.Bins is < 1 or > 64 || file.Hidden is < 1 or > 8192 || file.Blocks is < 0 or > 16 || file.Dropout is not (>= 0 and <= 0.9))
            throw new ArgumentException("a size of its network is out of range");
        TableSchema.Of([.. file.Columns.Select(c => c.Schema)]);
        if (!file.Order.Order().SequenceEqual(Enumerable.Range(0, file.Columns.Length)))
            throw new ArgumentException("its order of columns is none");
        foreach (var column in file.Columns)
            if (column.Schema.Kind switch
            {
                TableColumnKind.Category => column.Schema.Categories is not { Count: > 0 },
                TableColumnKind.Levels => column.Schema.LevelValues is not { Count: > 0 },
                TableColumnKind.Circle => false,
                _ => column.Schema.Atoms is null || !column.Numbers.AreUsable,
            })
                throw new ArgumentException($"column '{column.Schema.Name}' lacks what the data completed");
        return file;
    }
}

/// <summary>How it is written; generated when the library is built.</summary>
[JsonSourceGenerationOptions(UseStringEnumConverter = true, RespectNullableAnnotations = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(TextConverter)])]
[JsonSerializable(typeof(TableFile))]
internal sealed partial class TableFileContext : JsonSerializerContext;
