using System.Buffers.Binary;
using System.Text;

namespace RealNvp.Tests.Packaging;

/// <summary>Reads the version needs of a 64-bit ELF library through its dynamic segment, as the loader does.</summary>
/// <remarks>The build target walks the section table instead: two roads to the same entries check each other.</remarks>
internal static class VersionNeeds
{
    private const int DynamicSegment = 2, LoadSegment = 1, StringTable = 5;
    private const long VerNeed = 0x6ffffffe, VerNeedCount = 0x6fffffff;

    /// <summary>Each needed version with whether it is marked weak.</summary>
    public static Dictionary<string, bool> Read(string path)
    {
        var file = File.ReadAllBytes(path);
        long U64(long at) => BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan((int)at));
        uint U32(long at) => BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan((int)at));
        ushort U16(long at) => BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan((int)at));

        var segments = Enumerable.Range(0, U16(0x38)).Select(i => U64(0x20) + i * U16(0x36)).ToArray();
        long ToOffset(long address)
        {
            var s = segments.Single(s => U32(s) == LoadSegment && address >= U64(s + 16) && address < U64(s + 16) + U64(s + 32));
            return address - U64(s + 16) + U64(s + 8);
        }

        var dynamic = new Dictionary<long, long>();
        for (var entry = U64(segments.Single(s => U32(s) == DynamicSegment) + 8); U64(entry) != 0; entry += 16)
            dynamic.TryAdd(U64(entry), U64(entry + 8));

        var names = ToOffset(dynamic[StringTable]);
        var needs = new Dictionary<string, bool>();
        var need = ToOffset(dynamic[VerNeed]);
        for (var n = 0; n < dynamic[VerNeedCount]; n++, need += U32(need + 12))
        {
            var version = need + U32(need + 8);
            for (var v = 0; v < U16(need + 2); v++, version += U32(version + 12))
            {
                var name = file.AsSpan((int)(names + U32(version + 8)));
                needs[Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)])] = (U16(version + 4) & 2) != 0;
            }
        }
        return needs;
    }
}
