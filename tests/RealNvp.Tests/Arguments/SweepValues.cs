using System.Collections;
using System.Reflection;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>Wrong values for a parameter: by its type, and, for a tensor, made from a right one.</summary>
internal static class SweepValues
{
    public const long Huge = 1L << 40;

    /// <summary>Names and makers of wrong values. Each call gets new ones, as calls may keep or dispose what they get.</summary>
    public static IEnumerable<(string Name, Func<object?> Make)> Wrong(Type type, Func<object?> good)
    {
        var inner = Nullable.GetUnderlyingType(type);
        if (inner is not null || !type.IsValueType) yield return ("null", () => null);
        foreach (var value in Of(inner ?? type, good)) yield return value;
    }

    /// <summary>A model in memory, from its first byte.</summary>
    public static MemoryStream Saved()
    {
        using var model = SweepSubject.Model();
        var bytes = new MemoryStream();
        model.Save(bytes);
        bytes.Position = 0;
        return bytes;
    }

    private static IEnumerable<(string, Func<object?>)> Of(Type type, Func<object?> good)
    {
        if (type == typeof(Tensor)) return Tensors(() => (Tensor?)good() ?? zeros(2, 3));
        if (type == typeof(long)) return Values<long>(-1, 0, 3, Huge, long.MaxValue, long.MinValue);
        if (type == typeof(int)) return Values(-1, 0, 3, int.MaxValue, int.MinValue);
        if (type == typeof(double))
            return Values(double.NaN, double.PositiveInfinity, double.NegativeInfinity, 0.0, -1, 1e308, double.Epsilon);
        if (type == typeof(bool)) return Values(true, false);
        if (type == typeof(string)) return Values("", " ", "no/such/thing", "a\0b", new string('x', 5000), "{", "{\"Shape\":null}", "/");
        if (type == typeof(EventShape)) return Shapes();
        if (type == typeof(ScalarType))
            return Values((ScalarType)99, ScalarType.Int64, ScalarType.Bool, ScalarType.ComplexFloat32, ScalarType.Float16);
        if (type == typeof(Device)) return [("meta", () => META), ("cuda", () => new Device(DeviceType.CUDA, 0))];
        if (type == typeof(Stream))
            return [("closed", () => { var closed = Saved(); closed.Dispose(); return closed; }), ("empty", () => new MemoryStream()),
                ("garbage", () => new MemoryStream(new byte[100])), ("cut off", () => new MemoryStream(Saved().ToArray()[..^3])),
                ("only for reading", () => new OneWayStream(Saved(), reads: true)),
                    ("only for writing", () => new OneWayStream(new MemoryStream(), reads: false)),
                    ("at its end", () => { var s = Saved(); s.Position = s.Length; return s; }),
                ("of a fixed size", () => new MemoryStream(new byte[100], writable: true))];
        if (type.IsEnum) return [("undefined", () => Enum.ToObject(type, 99)), ("-1", () => Enum.ToObject(type, -1))];
        if (type == typeof(CancellationToken)) return [("cancelled", () => new CancellationToken(true))];
        if (type == typeof(Func<Tensor, Tensor>))
            return [("gives null", () => (Func<Tensor, Tensor>)(_ => null!)), ("gives a scalar", () =>
                (Func<Tensor, Tensor>)(_ => zeros(1).sum())), ("gives NaN", () => (Func<Tensor, Tensor>)(z => z.sum(1).mul(double.NaN))),
                ("gives its argument", () => (Func<Tensor, Tensor>)(z => z)),
                    ("gives what is disposed", () => (Func<Tensor, Tensor>)(_ => Disposed(zeros(2)))),
                    ("gives integers", () => (Func<Tensor, Tensor>)(z => zeros(z.shape[0], int64)))];
        if (type == typeof(Func<Bijection>))
            return [("gives null", () => (Func<Bijection>)(() => null!)),
                ("gives what is disposed", () => (Func<Bijection>)(() => { var b = new DiagonalScaling([4]); b.Dispose(); return b; }))];
        if (type.IsArray) return Lists(type.GetElementType()!, good);
        if (type.IsGenericType && type != typeof(string) && typeof(IEnumerable).IsAssignableFrom(type)
                && type.GetGenericArguments() is [var element])
            return Lists(element, good);
        if (type.IsGenericType && type.GetGenericArguments() is [var key, var value] && key == typeof(string))
            return [("empty", () => Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(key, value))),
                ("with null", () => OneNull(value))];
        if (typeof(nn.Module).IsAssignableFrom(type) || typeof(IDisposable).IsAssignableFrom(type))
            return [("disposed", () => { var made = good(); (made as IDisposable)?.Dispose(); return made; })];
        return [];
    }

    private static IEnumerable<(string, Func<object?>)> Values<T>(params T[] values) =>
        values.Select(v => ($"{(v is string { Length: > 20 } ? "a long text" : v)}", (Func<object?>)(() => v)));

    private static IEnumerable<(string, Func<object?>)> Shapes()
    {
        yield return ("default", () => default(EventShape));
        foreach (var sizes in new long[][] { [], [0], [-1], [-2], [3], [1], [Huge], [Huge, Huge], [4, 4], [2, 4, 4], [3, 5, 7],
            [-1, -1, -1], [2, 0, 4], [1, 1, 1, 1] })
            yield return ($"[{string.Join(",", sizes)}]", () => EventShape.Create(sizes));
    }

    private static IEnumerable<(string, Func<object?>)> Tensors(Func<Tensor> good)
    {
        (string, Func<object?>) Case(string name, Func<Tensor, Tensor> from) => (name, () =>
        {
            using var scope = NewDisposeScope();
            using var no = no_grad();
            return from(good()).MoveToOuterDisposeScope();
        });
        yield return ("disposed", () => Disposed(good()));
        yield return Case("0-d", _ => zeros(1).sum());
        yield return Case("empty", _ => zeros(0));
        yield return Case("no rows", x => x.dim() == 0 ? zeros(0) : x.narrow(0, 0, 0).clone());
        yield return Case("a dimension more", x => x.unsqueeze(0).clone());
        yield return Case("a dimension less", x => x.dim() == 0 ? zeros(2) : x[0].clone());
        yield return Case("a feature more", x => x.dim() < 2 ? zeros(7) : cat([x, x.narrow(1, 0, 1)], 1));
        yield return Case("another batch", x => x.dim() == 0 ? zeros(3) : cat([x, x, x], 0));
        yield return Case("4-d of ones", _ => ones(1, 1, 1, 1));
        yield return Case("a vector", _ => zeros(4));
        foreach (var dtype in new[] { ScalarType.Float64, ScalarType.Int64, ScalarType.Byte, ScalarType.Bool, ScalarType.ComplexFloat32,
            ScalarType.Float16, ScalarType.BFloat16 })
            yield return Case(dtype.ToString(), x => x.to(dtype).clone());
        foreach (var value in new[] { double.NaN, double.PositiveInfinity, 1e30, -5 })
            yield return Case($"all {value}", x => x.is_floating_point() ? full_like(x, value) : x.to(int64).sub(1000));
        yield return Case("meta", x => x.to(META));
        yield return Case("sparse", x => (x.is_floating_point() ? x.add(1) : x).to_sparse());
        yield return Case("strided", x => x.dim() < 2 ? x.clone() : x.transpose(0, 1).contiguous().transpose(0, 1));
        yield return ("requires grad", () => good() is var x && x.is_floating_point() ? x.requires_grad_() : x);
    }

    private static IEnumerable<(string, Func<object?>)> Lists(Type element, Func<object?> good)
    {
        yield return ("empty", () => Array.CreateInstance(element, 0));
        if (!element.IsValueType || Nullable.GetUnderlyingType(element) is not null)
        {
            yield return ("of null", () => Array.CreateInstance(element, 1));
            yield return ("with a null", () => With(element, good(), null));
        }
        if (element == typeof(Tensor)) yield return ("with a disposed", () => With(element, good(), Disposed(zeros(2, 4))));
        if (element == typeof(Tensor)) yield return ("with another shape", () => With(element, good(), zeros(1)));
        if (element == typeof(long))
            foreach (var v in new long[] { -1, 0, Huge, long.MinValue }) yield return ($"with {v}", () => With(element, good(), v));
        if (element == typeof(bool)) yield return ("of another length", () => new bool[7]);
        if (element == typeof(double)) yield return ("with NaN", () => With(element, good(), double.NaN));
        if (element == typeof(Bijection))
            yield return ("of other shapes", () => new Bijection[] { new DiagonalScaling([4]), new DiagonalScaling([3]) });
    }

    private static Array With(Type element, object? good, object? last)
    {
        var items = (good as IEnumerable)?.Cast<object?>().ToList() ?? [];
        var array = Array.CreateInstance(element, items.Count + 1);
        for (var i = 0; i < items.Count; i++) array.SetValue(items[i], i);
        array.SetValue(last, items.Count);
        return array;
    }

    private static object OneNull(Type value)
    {
        var dictionary = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(typeof(string), value))!;
        dictionary.Add("x", null);
        return dictionary;
    }

    private static Tensor Disposed(Tensor tensor)
    {
        tensor.Dispose();
        return tensor;
    }
}
