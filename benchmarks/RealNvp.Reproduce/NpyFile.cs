using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Writes numpy's format, version 1.</summary>
internal static class NpyFile
{
    public static void Write(string path, Tensor rows)
    {
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows.shape[0]}, {rows.shape[1]}), }}";
        header = header.PadRight(((header.Length + 11 + 63) / 64 * 64) - 11) + "\n";
        using var file = File.Create(path);
        file.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)(header.Length & 255), (byte)(header.Length >> 8)]);
        file.Write(Encoding.ASCII.GetBytes(header));
        using var flat = rows.contiguous();
        file.Write(flat.bytes);
    }
}
