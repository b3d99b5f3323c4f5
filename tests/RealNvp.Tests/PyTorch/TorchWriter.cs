using System.IO.Compression;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Writes what torch.save writes, of dictionaries, tensors, numbers and texts: for files that a test varies.</summary>
internal sealed class TorchWriter
{
    private readonly StringBuilder pickle = new("\u0080\u0002");
    private readonly List<byte[]> storages = [];

    /// <summary>Writes a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="value">A dictionary with keys that are texts, a tensor, a whole number, a text, or null; or a
    /// <c>Func&lt;string&gt;</c> that gives operations of a pickle.</param>
    public static void Save(string path, object? value)
    {
        var writer = new TorchWriter();
        writer.Write(value);
        writer.pickle.Append('.');
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        Entry(zip, "data.pkl", Encoding.Latin1.GetBytes(writer.pickle.ToString()));
        for (var i = 0; i < writer.storages.Count; i++) Entry(zip, $"data/{i}", writer.storages[i]);
    }

    private static void Entry(ZipArchive zip, string name, byte[] bytes)
    {
        using var stream = zip.CreateEntry("archive/" + name, CompressionLevel.NoCompression).Open();
        stream.Write(bytes);
    }

    private void Write(object? value)
    {
        switch (value)
        {
            case null: pickle.Append('N'); break;
            case string text: Text(text); break;
            case long number: Whole(number); break;
            case Func<string> operations: pickle.Append(operations()); break;
            case Tensor tensor: Write(tensor); break;
            case System.Collections.IDictionary values:
                pickle.Append("}(");
                foreach (System.Collections.DictionaryEntry entry in values)
                {
                    Text((string)entry.Key);
                    Write(entry.Value);
                }
                pickle.Append('u');
                break;
            default: throw new ArgumentException($"{value.GetType()}", nameof(value));
        }
    }

    private void Write(Tensor tensor)
    {
        var plain = tensor.detach().contiguous();
        var type = plain.dtype switch
        {
            ScalarType.Float64 => "DoubleStorage", ScalarType.Float32 => "FloatStorage", ScalarType.Float16 => "HalfStorage",
            ScalarType.BFloat16 => "BFloat16Storage", ScalarType.Int64 => "LongStorage", ScalarType.Int32 => "IntStorage",
            _ => "BoolStorage",
        };
        pickle.Append("ctorch._utils\n_rebuild_tensor_v2\n((");
        Text("storage");
        pickle.Append($"ctorch\n{type}\n");
        Text($"{storages.Count}");
        Text("cpu");
        Whole(plain.numel());
        pickle.Append("tQ");
        Whole(0);
        Tuple(plain.shape);
        Tuple(plain.stride());
        pickle.Append("\u0089NtR");
        storages.Add(plain.numel() == 0 ? [] : plain.bytes.ToArray());
    }

    private void Tuple(long[] numbers)
    {
        pickle.Append('(');
        foreach (var number in numbers) Whole(number);
        pickle.Append('t');
    }

    private void Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        pickle.Append('X').Append(Encoding.Latin1.GetString(BitConverter.GetBytes(bytes.Length))).Append(Encoding.Latin1.GetString(bytes));
    }

    private void Whole(long number) => pickle.Append("\u008a\u0008").Append(Encoding.Latin1.GetString(BitConverter.GetBytes(number)));
}
