using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace RealNvp.PyTorch;

/// <summary>
/// Reads the values of a pickle and runs nothing: the operations that make numbers, texts, lists, tuples and dictionaries are known, and a
/// call of a function is given to <see cref="PickleCalls"/>, which knows a few by name. Throws <see cref="FormatException"/>.
/// </summary>
/// <remarks>Each value costs at least one byte of the pickle, and some hundred bytes of memory at most. Nothing recurses here.</remarks>
internal ref struct PickleReader(ReadOnlySpan<byte> bytes)
{
    // honest files have a dozen values a tensor
    private const int MaxValues = 1 << 22, MaxText = 1 << 20;

    private static readonly object mark = new();
    private static readonly UTF8Encoding utf8 = new(false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> bytes = bytes;
    private readonly List<object?> stack = [];
    private readonly Dictionary<long, object?> memo = [];
    private readonly Dictionary<string, PickleStorage> storages = new(StringComparer.Ordinal);
    private int values;

    /// <summary>How many bytes of the pickles were read so far.</summary>
    public int Position { get; private set; }

    /// <summary>The storages that the pickles so far refer to, by key.</summary>
    public readonly IReadOnlyDictionary<string, PickleStorage> Storages => storages;

    /// <summary>Reads one value: one pickle, after which another one may follow.</summary>
    /// <returns>Null, bool, long, <see cref="BigInteger"/>, double, string, a list (<see cref="List{T}"/> of object), a tuple (object[]),
    /// <see cref="PickleDictionary"/>, or what <see cref="PickleCalls"/> made.</returns>
    public object? Read()
    {
        stack.Clear();
        memo.Clear();
        while (true)
        {
            var code = Take(1)[0];
            switch (code)
            {
                case 0x80: // PROTO
                    if (Take(1)[0] is var protocol and > 5)
                        throw new FormatException($"its pickle has protocol {protocol}; 2 to 5 are read");
                    break;
                case 0x95: Take(8); break; // FRAME
                case (byte)'N': Push(null); break;
                case 0x88: Push(true); break;
                case 0x89: Push(false); break;
                case (byte)'K': Push((long)Take(1)[0]); break;
                case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
                case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
                case 0x8a: PushWhole(Take(Take(1)[0])); break; // LONG1
                case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
                case 0x8c: Push(Text(Take(1)[0])); break; // SHORT_BINUNICODE
                case (byte)'X': Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
                case (byte)'}': Push(new PickleDictionary()); break;
                case (byte)']': Push(new List<object?>()); break;
                case (byte)')': Push(Array.Empty<object?>()); break;
                case (byte)'(': Push(mark); break;
                case (byte)'t': Push(ToMark()); break;
                case 0x85: Push(Last(1)); break;
                case 0x86: Push(Last(2)); break;
                case 0x87: Push(Last(3)); break;
                case (byte)'q': memo[Take(1)[0]] = Top(); break;
                case (byte)'r': memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Top(); break;
                case 0x94: memo[memo.Count] = Top(); break; // MEMOIZE
                case (byte)'h': Push(Remembered(Take(1)[0])); break;
                case (byte)'j': Push(Remembered(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
                case (byte)'c': Push(new PickleName(Line(), Line())); break;
                case 0x93: // STACK_GLOBAL
                    Push(Last(2) is [string module, string member] ? new PickleName(module, member)
                        : throw new FormatException("its pickle names a function by what is no text"));
                    break;
                case (byte)'Q': Push(Agreeing(PickleCalls.Storage(Pop()))); break; // BINPERSID
                case (byte)'R': // REDUCE
                    Push(Last(2) is [PickleName function, object?[] arguments] ? PickleCalls.Call(function, arguments)
                        : throw new FormatException("its pickle calls what is no function"));
                    break;
                case (byte)'b': PickleCalls.CheckState(Top(1), Pop()); break; // BUILD
                case 0x81: // NEWOBJ
                    throw PickleCalls.Refused(Last(2)[0] as PickleName);
                case (byte)'s':
                    var pair = Last(2);
                    Put(Top(), pair);
                    break;
                case (byte)'u':
                    var pairs = ToMark();
                    Put(Top(), pairs);
                    break;
                case (byte)'a':
                    var one = Pop();
                    ListOf(Top()).Add(one);
                    break;
                case (byte)'e':
                    var many = ToMark();
                    ListOf(Top()).AddRange(many);
                    break;
                case (byte)'.':
                    var result = Pop();
                    if (stack.Count > 0) throw new FormatException($"its pickle leaves {stack.Count} value(s) that belong to nothing");
                    return result;
                case (byte)'B' or (byte)'C' or 0x8e or 0x96: throw new FormatException($"its pickle holds bytes, and {PickleCalls.Known}");
                case 0x8f or 0x90 or 0x91: throw new FormatException($"its pickle holds a set, and {PickleCalls.Known}");
                default: throw new FormatException($"its pickle has an operation, 0x{code:x2}, that no file of tensors needs");
            }
        }
    }

    // one storage may be named many times, and is the same each time
    private readonly PickleStorage Agreeing(PickleStorage storage)
    {
        if (!storages.TryGetValue(storage.Key, out var known)) storages.Add(storage.Key, known = storage);
        return known == storage ? known
            : throw new FormatException($"its storage '{FileText.Name(storage.Key)}' is named with two types or sizes");
    }

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count > bytes.Length - Position) throw new FormatException("its pickle ends before its last value is complete");
        var taken = bytes.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    private string Text(uint length)
    {
        if (length > MaxText) throw new FormatException($"its pickle has a text of {length} bytes; {MaxText} is the most that is read");
        return Text(Take(length));
    }

    private static string Text(ReadOnlySpan<byte> text)
    {
        try { return utf8.GetString(text); }
        catch (ArgumentException) { throw new FormatException("its pickle has a text that is no UTF-8"); }
    }

    private string Line()
    {
        var length = bytes[Position..].IndexOf((byte)'\n');
        if (length < 0) throw new FormatException("its pickle ends before its last value is complete");
        if (length > MaxText) throw new FormatException($"its pickle has a name of {length} bytes; {MaxText} is the most that is read");
        var line = Text(Take(length));
        Take(1);
        return line;
    }

    private void PushWhole(ReadOnlySpan<byte> digits)
    {
        var number = new BigInteger(digits);
        if (number >= long.MinValue && number <= long.MaxValue) Push((long)number);
        else Push(number);
    }

    private void Push(object? value)
    {
        if (++values > MaxValues) throw new FormatException($"its pickle has more than {MaxValues} values, the most that are read");
        stack.Add(value);
    }

    private readonly object? Top(int below = 0) =>
        stack.Count > below && !ReferenceEquals(stack[^(1 + below)], mark) ? stack[^(1 + below)] : throw Empty();

    private readonly object? Pop()
    {
        var value = Top();
        stack.RemoveAt(stack.Count - 1);
        return value;
    }

    private readonly object?[] Last(int count)
    {
        for (var i = 0; i < count; i++) Top(i);
        object?[] last = [.. stack[^count..]];
        stack.RemoveRange(stack.Count - count, count);
        return last;
    }

    private readonly object?[] ToMark()
    {
        var at = stack.FindLastIndex(value => ReferenceEquals(value, mark));
        if (at < 0) throw new FormatException("its pickle ends a list of values that it has not begun");
        object?[] above = [.. stack[(at + 1)..]];
        stack.RemoveRange(at, stack.Count - at);
        return above;
    }

    private readonly object? Remembered(long place) =>
        memo.TryGetValue(place, out var value) ? value
            : throw new FormatException($"its pickle asks for value {place}, which it has not kept");

    private static void Put(object? target, object?[] pairs)
    {
        if (target is not PickleDictionary dictionary) throw new FormatException("its pickle puts a value into what is no dictionary");
        if (pairs.Length % 2 != 0) throw new FormatException("its pickle has a key without a value");
        for (var i = 0; i < pairs.Length; i += 2) dictionary.Put(pairs[i], pairs[i + 1]);
    }

    private static List<object?> ListOf(object? target) => target as List<object?>
        ?? throw new FormatException("its pickle adds a value to what is no list");

    private static FormatException Empty() => new("its pickle takes a value where there is none");
}
