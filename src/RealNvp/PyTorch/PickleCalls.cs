namespace RealNvp.PyTorch;

/// <summary>The functions that the pickle of a file of tensors calls, each by what it makes. No other is known, and
/// none is run. Throws <see cref="FormatException"/>.</summary>
internal static class PickleCalls
{
    public const string Known = "only tensors, dictionaries, lists, tuples, numbers, texts, booleans and None are read. Save less: " +
        "torch.save(model.state_dict(), path)";

    private const int MaxDimensions = 64; // libtorch's own limit

    /// <summary>What a call makes.</summary>
    public static object? Call(PickleName function, object?[] arguments) => (function.Module, function.Member) switch
    {
        ("collections", "OrderedDict") => Ordered(function, arguments),
        ("torch._utils", "_rebuild_tensor_v2") when arguments.Length is 6 or 7 => Tensor(function, arguments, 6),
        ("torch._utils", "_rebuild_tensor") when arguments.Length == 4 => Tensor(function, arguments, 4),
        ("torch._utils", "_rebuild_parameter") when arguments.Length == 3 =>
            arguments[0] as PickleTensor ?? throw Bad(function),
        ("torch", "Size") => arguments is [object?[] sizes] ? sizes : throw Bad(function),
        ("torch._utils", "_rebuild_tensor_v2" or "_rebuild_tensor" or "_rebuild_parameter") => throw Bad(function),
        _ => throw Refused(function),
    };

    /// <summary>The storage of a persistent id: ('storage', type, key, place, count), in old files with a view behind.</summary>
    public static PickleStorage Storage(object? id)
    {
        if (id is not (object?[] { Length: 5 or 6 } parts and ["storage", PickleName kind, string key, _, long count, ..])
            || (parts.Length == 6 && parts[5] is not null) || count < 0)
            throw new FormatException("its pickle refers to something outside of it that is no storage of a tensor");
        var type = kind.Module == "torch" ? PyTorchTypes.OfStorage(kind.Member) : null;
        if (type is null)
            throw new FormatException(
                $"it has tensors in a {kind}, a type that tensors here cannot have. Convert them in Python first, as by tensor.float()");
        if (count > long.MaxValue / 16) throw new FormatException($"its storage '{FileText.Name(key)}' says that it has {count} elements");
        return new PickleStorage(key, type.Value, count);
    }

    /// <summary>The state that a value is given after it was made; only that of a dictionary of weights (<c>_metadata</c>, the versions of
    /// its modules) may be left aside.</summary>
    public static void CheckState(object? target, object? state)
    {
        if (target is not PickleDictionary || state is not PickleDictionary)
            throw new FormatException($"its pickle sets the state of an object, and {Known}");
    }

    /// <summary>The error for a function or class that is not known.</summary>
    public static FormatException Refused(PickleName? name) => new(name is null ? $"its pickle makes an object, and {Known}"
        : name.Module.StartsWith("__torch__", StringComparison.Ordinal)
            ? $"it holds a TorchScript program ({name}), and {Known}"
        : $"it wants to call {name}. Nothing in a file is run, and {Known}");

    // Python 2 gave its pairs, each a list of two
    private static PickleDictionary Ordered(PickleName function, object?[] arguments)
    {
        var made = new PickleDictionary();
        if (arguments.Length == 0) return made;
        if (arguments is not [List<object?> pairs]) throw Bad(function);
        foreach (var pair in pairs)
        {
            if (pair is not IReadOnlyList<object?> { Count: 2 } two) throw Bad(function);
            made.Put(two[0], two[1]);
        }
        return made;
    }

    private static PickleTensor Tensor(PickleName function, object?[] arguments, int known)
    {
        if (arguments is not [PickleStorage storage, long offset, object?[] sizes, object?[] steps, ..]
            || sizes.Length != steps.Length || !sizes.All(n => n is long) || !steps.All(n => n is long))
            throw Bad(function);
        // a seventh argument: bits that say that the numbers are to be conjugated or negated
        if (arguments.Length > known && arguments[known] is not (null or PickleDictionary { Count: 0 }))
            throw new FormatException("it has a tensor that is the conjugate or the negative of its storage. Save tensor.resolve_conj()");
        if (sizes.Length > MaxDimensions) throw new FormatException($"it has a tensor of more than {MaxDimensions} dimensions");
        long[] shape = [.. sizes.Select(n => (long)n!)], strides = [.. steps.Select(n => (long)n!)];
        if (offset < 0 || Array.Exists(shape, n => n < 0) || Array.Exists(strides, n => n < 0))
            throw new FormatException($"it has a tensor with a negative size, stride or offset: [{Listed(shape)}], [{Listed(strides)}]");
        try
        {
            var (last, empty) = (offset, Array.Exists(shape, n => n == 0));
            for (var i = 0; i < shape.Length && !empty; i++) last = checked(last + ((shape[i] - 1) * strides[i]));
            if (empty ? offset > storage.Count : last >= storage.Count)
                throw new FormatException(
                    $"it has a tensor of shape [{Listed(shape)}] that reaches beyond its storage '{FileText.Name(storage.Key)}' of " +
                    $"{storage.Count} elements");
            return new PickleTensor(storage, offset, shape, strides);
        }
        catch (OverflowException)
        {
            throw new FormatException($"it has a tensor of shape [{Listed(shape)}], whose size is too large for 64 bits");
        }
    }

    private static string Listed(long[] numbers) => string.Join(", ", numbers.Select(n => FormattableString.Invariant($"{n}")));

    private static FormatException Bad(PickleName function) =>
        new($"it calls {function} with arguments that no version of torch.save gives");
}
