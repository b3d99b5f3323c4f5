using System.Buffers.Binary;

namespace RealNvp.PyTorch;

/// <summary>The checksum of an entry of a zip file (CRC-32, polynomial 0xEDB88320), eight bytes at a time by tables.</summary>
internal static class Crc32
{
    private static readonly uint[][] tables = Tables();

    /// <summary>Adds bytes; begin with 0.</summary>
    public static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            var (low, high) = (BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc, BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]));
            crc = tables[7][low & 255] ^ tables[6][(low >> 8) & 255] ^ tables[5][(low >> 16) & 255] ^ tables[4][low >> 24]
                ^ tables[3][high & 255] ^ tables[2][(high >> 8) & 255] ^ tables[1][(high >> 16) & 255] ^ tables[0][high >> 24];
        }
        foreach (var b in bytes) crc = tables[0][(crc ^ b) & 255] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[][] Tables()
    {
        var made = new uint[8][];
        for (var t = 0; t < 8; t++)
        {
            made[t] = new uint[256];
            for (var i = 0u; i < 256; i++)
            {
                var value = t == 0 ? i : made[t - 1][i];
                if (t > 0) value = made[0][value & 255] ^ (value >> 8);
                else for (var bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) * 0xEDB88320u);
                made[t][i] = value;
            }
        }
        return made;
    }
}
