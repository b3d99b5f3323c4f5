using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealNvp.Tests.Serialization;

/// <summary>Damages a safetensors file of ours as accidents do, or forges it as
/// somebody does who knows the format. Each seed gives the same files.</summary>
internal sealed class FileMutations
{
    private const string Metadata = "__metadata__";
    private static readonly string[] values =
    [
        "\"x\"", "null", "-1", "0", "1", "2", "3", "17", "4096", "65536", "2147483647", "2147483648", "9223372036854775807",
            "9223372036854775808", "1e308", "-1e308", "1.5", "true", "[]", "{}", "[1]",
        "[null]", "\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "\"1\"", "\"/etc/passwd\"", "{\"kind\":\"x\"}", "[1,2048,2048]",
            "[4194304,1,1]", "[1048576]", "[0]", "[-1]",
    ];

    private readonly byte[] good;
    private readonly string header;
    private readonly JsonObject parsed;
    private readonly byte[] data;
    private readonly string[] names;
    private readonly Random random;

    public FileMutations(byte[] good, int seed)
    {
        this.good = good;
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(good);
        header = Encoding.UTF8.GetString(good, 8, length);
        parsed = JsonNode.Parse(header)!.AsObject();
        data = good[(8 + length)..];
        names = [.. parsed.Select(m => m.Key).Where(k => k != Metadata)];
        random = new Random(seed);
    }

    /// <summary>The next file; a damaged one keeps its checksum, a forged one has none.</summary>
    public (string Kind, bool IsForged, byte[] Bytes) Next()
    {
        Func<(string, bool, byte[])>[] kinds =
        [
            () => ("bit of the header", false, Flip(random.Next(0, good.Length - data.Length))),
            () => ("bit of the data", false, Flip(random.Next(good.Length - data.Length, good.Length))),
            () => ("twenty bytes", false, Bytes()),
            () => ("cut", false, good[..random.Next(good.Length)]),
            () =>
                ("length of the header", false, WithLength(Pick<ulong>(0, 1, 2, (ulong)header.Length - 1, (ulong)header.Length + 1,
                    int.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue, 100_000_000, 100_000_001))),
            () => ("bytes behind", false, [.. good, .. new byte[random.Next(1, 1000)]]),
            () => ("exchanged offsets", false, Exchanged()),
            () =>
                ("other order of the header", false,
                    Joined(new JsonObject(Shuffled().Select(m => KeyValuePair.Create(m.Key, m.Value?.DeepClone()))).ToJsonString())),
            () =>
                ("offsets", true, Edited(m => m[Any()]!["data_offsets"] = JsonNode.Parse(Pick("null", "[0]", "[0,1,2]", "[\"0\",1]",
                    "[0.5,4.5]", "[-8,0]", "[8,0]", "[9223372036854775800,9223372036854775804]", "[0,4]", "{}")))),
            () =>
                ("shape", true,
                    Edited(m => m[Any()]!["shape"] = JsonNode.Parse(Pick("[4611686018427387904,4]", "[2147483648,2147483648]", "[-1]",
                    "[0]", "[0,9223372036854775807]", "[1,1,1,1]", "[\"3\"]", "[1.5]", "null", "{}", "[[3]]",
                    $"[{string.Join(',', Enumerable.Repeat(1, 100))}]")))),
            () =>
                ("dtype", true, Edited(m => m[Any()]!["dtype"] = JsonNode.Parse(Pick("\"F64\"", "\"I32\"", "\"F16\"", "\"U8\"", "\"BOOL\"",
                    "\"F8_E4M3\"", "\"f32\"", "null", "5", "\"\\u001b[31m\"", $"\"{new string('D', 100_000)}\"")))),
            () => ("reshaped", true, Edited(m => m[Any()] = Reversed(m[Any()]!))),
            () => ("lost tensor", true, Edited(m => m.Remove(Any()))),
            () =>
                ("renamed tensor", true, Edited(m => Rename(m, Any(), Pick("x", "model/", "../../../etc/passwd", "a\u001b[2Jb\r\n\u202e",
                    new string('n', 200_000), "model/bijection.layers.99.x", "best/x", "average/x", "random/default")))),
            () =>
                ("a tensor more", true,
                    Edited(m => { for (var i = random.Next(1, 3000); i > 0; i--) m[Pick("model/", "best/", "optimizer/", "average/", "")
                    + "z" + i] = JsonNode.Parse($"{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[{data.Length},{data.Length}]}}"); })),
            () =>
                ("key twice", true,
                    Joined(Pick(header.TrimEnd()[..^1] + ",\"__metadata__\":{}}",
                    header.Replace("\"dtype\":", "\"dtype\":\"F32\",\"dtype\":", StringComparison.Ordinal),
                    header.Replace("\"kind\":", "\"kind\":\"NiceModel\",\"kind\":", StringComparison.Ordinal)))),
            () => ("nested", true, Joined(Nested())),
            () =>
                ("junk", true, Joined(Pick("null", "[]", "{}", "\"x\"", "{\"a\":1}", "{\"__metadata__\":{\"format\":1}}",
                    "{\"__metadata__\":null}", "{}{}", "//c\n{}", "{\"a\":NaN}", "{\"\\ud800\":{}}"))),
            () =>
                ("metadata", true,
                    Edited(m => Meta(m)[Pick("format", "version", "kind", "options", "training", "state", "recipe")] = Pick("", "x", "2",
                    "1", "-1", " 1", "99", "NiceModel", "GlowModel", "System.IO.FileInfo", "{}", "null", "[]", "{\"Shape\":[2]}",
                    "{\"$type\":\"System.IO.FileInfo\"}", new string('1', 100_000), "\u001b[2J\u0007"))),
            () => ("lost metadata", true, Edited(m => Meta(m).Remove(Pick("format", "version", "kind", "options", "training", "state")))),
            () => Record("options"), () => Record("options"), () => Record("options"), () => Record("options"),
            () => Record("training"), () => Record("state"), () => Record("state"), History,
            () => ("numbers", true, Numbers()), () => ("numbers", true, Numbers()), () => ("numbers", true, Numbers()),
        ];
        return kinds[random.Next(kinds.Length)]();
    }

    private byte[] Flip(int at)
    {
        var bytes = (byte[])good.Clone();
        bytes[at] ^= (byte)(1 << random.Next(8));
        return bytes;
    }

    private byte[] Bytes()
    {
        var bytes = (byte[])good.Clone();
        for (var i = 0; i < 20; i++) bytes[random.Next(8, bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }

    private byte[] WithLength(ulong length)
    {
        var bytes = (byte[])good.Clone();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        return bytes;
    }

    // two tensors of one size: nothing but the checksum can tell, if they are not the same
    private byte[] Exchanged()
    {
        var copy = parsed.DeepClone().AsObject();
        var (one, other) = (Any(), Any());
        var (first, second) = (copy[one]!["data_offsets"]!.DeepClone(), copy[other]!["data_offsets"]!.DeepClone());
        (copy[one]!["data_offsets"], copy[other]!["data_offsets"]) = (second, first);
        return Joined(copy.ToJsonString());
    }

    private KeyValuePair<string, JsonNode?>[] Shuffled()
    {
        var members = parsed.ToArray();
        random.Shuffle(members);
        return members;
    }

    private string Nested()
    {
        var depth = Pick(5, 70, 1000, 100_000);
        return random.Next(2) == 0 ? "{\"__metadata__\":" + new string('[', depth) + new string(']', depth) + "}"
            : string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
    }

    private (string, bool, byte[]) Record(string record)
    {
        if (parsed[Metadata]?[record] is not { } text)
            return ("bit of the data", false, Flip(random.Next(good.Length - data.Length, good.Length)));
        var members = JsonNode.Parse(text.GetValue<string>())!.AsObject();
        var name = members.ElementAt(random.Next(members.Count)).Key;
        var json = members.ToJsonString();
        switch (random.Next(8))
        {
            case 0:
                members.Remove(name);
                json = members.ToJsonString();
                break;
            case 1:
                json = json[..^1] + $",\"{name}\":7}}";
                break;
            case 2:
                json = Pick(string.Concat(Enumerable.Repeat("{\"Shape\":", 1000)) + "1" + new string('}', 1000), new string('[', 100_000),
                    "{\"" + new string('A', 100_000) + "\":1}", "{\"\\u001b[2J\":1}");
                break;
            default:
                json = Replaced(members, name, Pick(values));
                break;
        }
        return ($"{record}.{name}", true, Edited(m => Meta(m)[record] = json));
    }

    // numbers that are too large for a JsonNode's own type stay text
    private static string Replaced(JsonObject members, string name, string value)
    {
        members[name] = "@@";
        return members.ToJsonString().Replace("\"@@\"", value, StringComparison.Ordinal);
    }

    private (string, bool, byte[]) History()
    {
        if (parsed[Metadata]?["state"] is not { } text) return Record("options");
        var state = JsonNode.Parse(text.GetValue<string>())!.AsObject();
        var history = state["History"]!.AsArray();
        switch (random.Next(3))
        {
            case 0:
                for (var i = history.Count; i < 20_000; i++) history.Add(history[0]!.DeepClone());
                break;
            case 1:
                history[0] = null;
                break;
            default:
                var record = history[0]!.AsObject();
                record[record.ElementAt(random.Next(record.Count)).Key] = JsonNode.Parse(Pick("null", "-1", "0", "\"NaN\"", "\"Infinity\"",
                    "1e308", "true", "[]"));
                break;
        }
        return ("state.History", true, Edited(m => Meta(m)["state"] = state.ToJsonString()));
    }

    private byte[] Numbers()
    {
        var copy = (byte[])data.Clone();
        var entry = parsed[Any()]!;
        var (begin, end) = ((int)entry["data_offsets"]![0]!, (int)entry["data_offsets"]![1]!);
        if (begin == end) return Joined(Edited().ToJsonString(), copy);
        var all = random.Next(3) == 0;
        switch (entry["dtype"]!.GetValue<string>())
        {
            case "F32":
                var value = Pick(float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e38f, -1e38f, 1e-45f, 0, -5, 7);
                for (var at = begin; at < (all ? end : begin + 4); at += 4)
                    BinaryPrimitives.WriteSingleLittleEndian(copy.AsSpan(at), value);
                break;
            case "I64":
                BinaryPrimitives.WriteInt64LittleEndian(copy.AsSpan(begin), Pick(-1L, 1, 7, 1000, int.MaxValue, 1L << 40, long.MaxValue,
                    long.MinValue));
                break;
            default:
                if (all) random.NextBytes(copy.AsSpan(begin, end - begin));
                else copy[begin + random.Next(Math.Min(end - begin, 40))] = (byte)random.Next(256);
                break;
        }
        return Joined(Edited().ToJsonString(), copy);
    }

    private static JsonNode Reversed(JsonNode entry)
    {
        var copy = entry.DeepClone();
        copy["shape"] = new JsonArray([.. copy["shape"]!.AsArray().Reverse().Select(n => n!.DeepClone()), 1]);
        return copy;
    }

    private static void Rename(JsonObject members, string from, string to)
    {
        var entry = members[from]!.DeepClone();
        members.Remove(from);
        members[to] = entry;
    }

    // without the checksum
    private JsonObject Edited()
    {
        var copy = parsed.DeepClone().AsObject();
        Meta(copy).Remove(Checksum.Key);
        return copy;
    }

    private byte[] Edited(Action<JsonObject> change)
    {
        var copy = Edited();
        change(copy);
        return Joined(copy.ToJsonString(new JsonSerializerOptions { MaxDepth = 1000 }));
    }

    private static JsonObject Meta(JsonObject members) => members[Metadata]!.AsObject();

    private byte[] Joined(string json) => Joined(json, data);

    private static byte[] Joined(string json, byte[] data)
    {
        var text = Encoding.UTF8.GetBytes(json);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return [.. length, .. text, .. data];
    }

    private string Any() => names[random.Next(names.Length)];

    private T Pick<T>(params T[] from) => from[random.Next(from.Length)];
}
