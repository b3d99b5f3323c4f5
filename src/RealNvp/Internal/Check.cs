using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The checks of arguments that all public methods share: each says what came, what was expected and what to do.</summary>
internal static partial class Check
{

    public static void Tensor(Tensor? tensor, string parameter)
    {
        ArgumentNullException.ThrowIfNull(tensor, parameter);
        if (tensor.IsInvalid)
            throw new ObjectDisposedException(parameter,
                $"The tensor '{parameter}' has been disposed. Keep it alive until the call returns.");
        if (tensor.is_sparse)
            throw new ArgumentException($"The tensor '{parameter}' is sparse. Convert it: {parameter}.to_dense().", parameter);
    }

    /// <summary>Refuses a tensor that has a shape, but no numbers; of a layer with weights the device of these tells.</summary>
    public static void NotMeta(Tensor tensor, string parameter)
    {
        if (tensor.device_type == DeviceType.META)
            throw new ArgumentException(
                $"The tensor '{parameter}' is on the device meta, so it has a shape, but no numbers. Make it on the CPU or a GPU.",
                parameter);
    }

    /// <summary>Checks the arguments of a network that is called alone: shapes, dtype and device, so that no kernel meets others.</summary>
    /// <param name="input">(N, ...), as <paramref name="shape"/> says.</param>
    /// <param name="context">(N, C) if the network has a context; it is not looked at otherwise.</param>
    /// <param name="shape">The shape of one input.</param>
    /// <param name="contextSize">C, or 0.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="weight">A weight of the network.</param>
    public static void Network(Tensor? input, Tensor? context, EventShape shape, long contextSize, string owner, Tensor weight)
    {
        if (weight.IsInvalid) throw Disposed(owner);
        Batch(input, nameof(input), owner, shape);
        OfWeights(input!, nameof(input), owner, weight);
        if (contextSize == 0) return;
        ContextShape(context, contextSize, input!.size(0), owner);
        OfWeights(context!, nameof(context), owner, weight);
    }

    /// <summary>Checks an input (N, C, ...) of a layer with a weight (C).</summary>
    public static void Channels(Tensor? input, Tensor weight, string owner)
    {
        Tensor(input, nameof(input));
        if (weight.IsInvalid) throw Disposed(owner);
        var shape = input!.shape;
        if (shape.Length < 2 || shape[1] != weight.size(0))
            throw new ArgumentException($"{owner} expects input of shape (N, {weight.size(0)}, ...); got {EventShape.Format(shape)}.",
                nameof(input));
        OfWeights(input, nameof(input), owner, weight);
    }

    // networks alone may compute in few digits
    private static void OfWeights(Tensor tensor, string parameter, string owner, Tensor weight)
    {
        if (tensor.dtype != weight.dtype)
            throw new ArgumentException(
                $"{owner} has weights of dtype {weight.dtype}, but {parameter} has {tensor.dtype}. Convert one of them: " +
                $"{parameter}.to({Name(weight.dtype)}) or module.to({Name(tensor.dtype)}).", parameter);
        Device(tensor, parameter, owner, weight);
        NotMeta(tensor, parameter);
    }

    /// <summary>Checks the arguments of an elementwise map with P parameters an element.</summary>
    /// <param name="input">(N, C, ...).</param>
    /// <param name="parameter">What the input is called.</param>
    /// <param name="parameters">(N, P·C, ...); a size of 1 stands for all examples or places.</param>
    /// <param name="perElement">P.</param>
    /// <param name="owner">The transformer.</param>
    public static void Elements(Tensor? input, string parameter, Tensor? parameters, int perElement, string owner)
    {
        Tensor(input, parameter);
        Tensor(parameters, nameof(parameters));
        NotMeta(input!, parameter);
        var (shape, given) = (input!.shape, parameters!.shape);
        var fits = shape.Length >= 2 && given.Length == shape.Length && given[1] == perElement * shape[1];
        for (var d = 0; fits && d < shape.Length; d++) fits = d == 1 || given[d] == shape[d] || given[d] == 1;
        if (!fits)
            throw new ArgumentException(
                $"{owner} needs {perElement} parameters for each channel or feature of {EventShape.Format(shape)}, in a tensor (N, " +
                $"{perElement}·C, ...); got {EventShape.Format(given)}.", nameof(parameters));
        if (!input.is_floating_point())
            throw new ArgumentException(
                $"{owner} expects {parameter} with a floating-point dtype; got {input.dtype}. Convert it: {parameter}.to(torch.float32).",
                parameter);
        if (input.dtype != parameters.dtype || input.device_type != parameters.device_type)
            throw new ArgumentException(
                $"{owner} expects {parameter} and {nameof(parameters)} of one dtype and on one device; got {input.dtype} on " +
                $"{input.device} and {parameters.dtype} on {parameters.device}. Convert one of them.", nameof(parameters));
    }

    /// <summary>Whether a text is one that UTF-8 can hold: without half of a surrogate pair, which a file would not give back.</summary>
    public static bool IsText(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return false;
            i++;
        }
        return true;
    }

    /// <summary>Throws if a list is null, empty or has a null in it.</summary>
    public static void Items<T>(IReadOnlyList<T?>? items, string parameter, string what) where T : class
    {
        ArgumentNullException.ThrowIfNull(items, parameter);
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i] is null) throw new ArgumentException($"{what} {i} is null.", parameter);
            if (items[i] is nn.Module module) ModuleLife.Alive(module, parameter, $"a list ({what} {i})");
        }
    }

    /// <summary>Throws if a device is not there.</summary>
    public static void Available(Device? device, string parameter)
    {
        if (device is { type: DeviceType.CUDA } && !cuda.is_available())
            throw new ArgumentException(
                $"The device is {device}, but no CUDA device was found. Use the CPU, or add TorchSharp-cuda-windows or " +
                $"TorchSharp-cuda-linux to the application on a machine with an NVIDIA GPU.", parameter);
        if (device is { type: DeviceType.META })
            throw new ArgumentException("The device is meta, on which tensors have no numbers. Use the CPU or a GPU.", parameter);
    }

    /// <summary>Checks a batch of examples of shape (N, <paramref name="expected"/>).</summary>
    public static void Batch(Tensor? tensor, string parameter, string owner, EventShape? expected)
    {
        Tensor(tensor, parameter);
        var shape = tensor!.shape;
        if (expected is { } e)
        {
            if (shape.Length > 0 && e.Matches(shape.AsSpan(1))) return;
            var hint = e.Matches(shape) ? $" Add the batch dimension: {parameter}.unsqueeze(0)." : "";
            throw new ArgumentException($"{owner} expects {parameter} of shape {Batched(e)}; got {EventShape.Format(shape)}.{hint}",
                parameter);
        }
        if (shape.Length == 0)
            throw new ArgumentException(
                $"{owner} expects {parameter} with a batch dimension in front, (N, ...); got a tensor without dimensions. Use " +
                $"{parameter}.reshape(1, 1).", parameter);
    }

    /// <summary>Checks that a tensor is floating point, and has the dtype (unless any
    /// will do) and the device of the module's weights, if it has any.</summary>
    public static void Like(Tensor tensor, string parameter, string owner, Tensor? weight, bool anyDtype = false)
    {
        if (!tensor.is_floating_point())
            throw new ArgumentException(
                $"{owner} expects {parameter} with a floating-point dtype; got {tensor.dtype}. Convert it: {parameter}.to(torch.float32).",
                parameter);
        if (!TorchBackend.IsPrecise(tensor.dtype))
            throw new ArgumentException(
                $"{owner} computes in float32 or float64; {parameter} has {tensor.dtype}, which has too few digits for " +
                $"log-determinants. Convert it, and the module where it is in that dtype too: {parameter}.to(torch.float32), " +
                $"module.to(torch.float32). Networks alone can compute in bfloat16: {nameof(Flow)}.{nameof(Flow.ConditionerDtype)}.",
                parameter);
        if (weight is null)
        {
            NotMeta(tensor, parameter);
            return;
        }
        if (weight.IsInvalid) throw Disposed(owner);
        if (anyDtype && !TorchBackend.IsPrecise(weight.dtype))
            throw new ArgumentException(
                $"{owner} computes in float32 or float64; the weights have {weight.dtype}, which has too few digits for " +
                $"log-determinants. Convert them: module.to(torch.float32). Networks alone can compute in bfloat16: " +
                $"{nameof(Flow)}.{nameof(Flow.ConditionerDtype)}.", parameter);
        if (!anyDtype && tensor.dtype != weight.dtype)
            throw new ArgumentException(
                $"{owner} has weights of dtype {weight.dtype}, but {parameter} has {tensor.dtype}. Convert one of them: " +
                $"{parameter}.to({Name(weight.dtype)}) or module.to({Name(tensor.dtype)}).", parameter);
        Device(tensor, parameter, owner, weight);
        NotMeta(tensor, parameter);
    }

    /// <summary>What whoever reads a disposed module gets.</summary>
    /// <param name="owner">The module, or its method that was called.</param>
    public static ObjectDisposedException Disposed(string owner) =>
        new(owner, $"{owner}: the module, or a part of it, has been disposed. Keep it alive as long as you use it.");

    /// <summary>Checks that a tensor is on the device of the module's weights.</summary>
    public static void Device(Tensor tensor, string parameter, string owner, Tensor weight)
    {
        if (tensor.device_type != weight.device_type || tensor.device_index != weight.device_index)
            throw new ArgumentException(
                $"{owner} has weights on {weight.device}, but {parameter} is on {tensor.device}. Move one of them: " +
                $"{parameter}.to(\"{weight.device}\") or module.to(\"{tensor.device}\").", parameter);
    }

    /// <summary>Checks the context of shape (N, <paramref name="size"/>); a size of 0 means
    /// that no context is used. Null <paramref name="examples"/>: any number M.</summary>
    public static void Context(Tensor? context, long size, long? examples, string owner, Tensor? weight, bool anyDtype = false)
    {
        ContextShape(context, size, examples, owner);
        if (context is null) return;
        if (IsWhole(context))
            throw new ArgumentException(
                $"{owner} expects a context with a floating-point dtype; got {context.dtype}. Convert numbers: " +
                $"context.to(torch.float32).{Labels}", nameof(context));
        Like(context, nameof(context), owner, weight, anyDtype);
    }

    /// <summary>As <see cref="Context"/>, of any dtype and on any device.</summary>
    public static void ContextShape(Tensor? context, long size, long? examples, string owner)
    {
        var shape = examples is { } n ? $"({n}, {size})" : $"(M, {size})";
        if (context is null)
        {
            if (size == 0) return;
            throw new ArgumentNullException(nameof(context),
                $"{owner} is conditional: it needs a context of shape " +
                $"{shape}{(examples is null ? ", one row for each of M conditions" : "")}.");
        }
        Tensor(context, nameof(context));
        if (size == 0)
            throw new ArgumentException(
                $"{owner} takes no context, but one of shape {EventShape.Format(context.shape)} was given. Build it with a context size " +
                $"to make it conditional.", nameof(context));
        if (context.dim() != 2 || context.size(1) != size || (examples is { } e && context.size(0) != e))
            throw new ArgumentException(
                $"{owner} expects a context of shape {shape}{(examples is null ? "" : ", one row an example")}; got " +
                $"{EventShape.Format(context.shape)}.{(context.dim() == 1 || IsWhole(context) ? Labels : "")}", nameof(context));
    }

    // what somebody with classes passes first
    private const string Labels =
        $" For class labels, build the flow with a {nameof(LabelEncoder)}, which takes them (N), or pass one-hot vectors: " +
            $"torch.nn.functional.one_hot(labels, classes).to(torch.float32).";

    private static bool IsWhole(Tensor tensor) => !tensor.is_floating_point() && !tensor.is_complex();

    /// <summary>Throws if a tensor holds NaN or infinity, and names the rows. One pass over the tensor.</summary>
    /// <param name="tensor">Of any floating-point dtype.</param>
    /// <param name="parameter">What it is.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="mayWait">False: what would wait for a device is not looked at.</param>
    public static void Finite(Tensor tensor, string parameter, string owner, bool mayWait = true)
    {
        if (mayWait ? Numbers.AreFinite(tensor) : Numbers.AreFiniteInMemory(tensor) ?? true) return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var bad = tensor.isfinite().logical_not();
        var at = bad.nonzero();
        throw new ArgumentException(
            $"{owner} expects finite values; {parameter} holds {at.size(0)} value(s) that are NaN or infinite, the first at index " +
            $"{EventShape.Format(at[0].FetchInt64s())}. Remove or replace " +
            $"them.{(bad.dim() > 1 ? $" They are in {Rows(bad.flatten(1).any(1))}." : "")}", parameter);
    }

    /// <summary>Names the rows for which a mask (N) is true: "row 3", "rows 3, 7, 9", "5,000 rows (3, 7, ...)".</summary>
    /// <param name="mask">(N).</param>
    /// <param name="first">The number of its first row.</param>
    /// <param name="verbs">What follows for one row, and for more: "row 3 lies", "rows 3, 7 lie". Null for none.</param>
    public static string Rows(Tensor mask, long first = 0, (string One, string More)? verbs = null)
    {
        const int most = 10;
        using var scope = NewDisposeScope();
        var rows = mask.nonzero().flatten();
        var (count, names) = (rows.size(0),
            string.Join(", ", rows.narrow(0, 0, Math.Min(most, rows.size(0))).FetchInt64s().Select(r => r + first)));
        var named = count == 1 ? $"row {names}" : count <= most ? $"rows {names}"
            : FormattableString.Invariant($"{count:N0} rows ({names}, ...)");
        return verbs is not { } v ? named : $"{named} {(count == 1 ? v.One : v.More)}";
    }

    /// <summary>Checks one time for each example, t (N).</summary>
    /// <param name="t">The times.</param>
    /// <param name="x">The examples (N, ...), checked.</param>
    /// <param name="owner">The method that was called.</param>
    public static void Times(Tensor? t, Tensor x, string owner)
    {
        Tensor(t, nameof(t));
        if (t!.dim() != 1 || t.size(0) != x.size(0))
            throw new ArgumentException(
                $"{owner} expects t of shape ({x.size(0)}), one time for each example; got {EventShape.Format(t.shape)}.", nameof(t));
        if (t.dtype != x.dtype || t.device_type != x.device_type || t.device_index != x.device_index)
            throw new ArgumentException(
                $"{owner} expects t with the dtype and on the device of x, {x.dtype} on {x.device}; got {t.dtype} on {t.device}. " +
                $"Convert it: t.to(x.dtype, x.device).", nameof(t));
    }

    private static string Batched(EventShape shape) =>
        $"(N, {string.Join(", ", shape.Select(s => s == -1 ? "*" : s.ToString(System.Globalization.CultureInfo.InvariantCulture)))})";

    private static string Name(ScalarType dtype) => "torch." + dtype.ToString().ToLowerInvariant();
}
