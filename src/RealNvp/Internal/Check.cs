using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The checks of arguments that all public methods share: each says what came, what was expected and what to do.</summary>
internal static class Check
{
    public static void Tensor(Tensor? tensor, string parameter)
    {
        ArgumentNullException.ThrowIfNull(tensor, parameter);
        if (tensor.IsInvalid) throw new ObjectDisposedException(parameter, $"The tensor '{parameter}' has been disposed. Keep it alive until the call returns.");
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
            throw new ArgumentException($"{owner} expects {parameter} of shape {Batched(e)}; got {EventShape.Format(shape)}.{hint}", parameter);
        }
        if (shape.Length == 0)
            throw new ArgumentException($"{owner} expects {parameter} with a batch dimension in front, (N, ...); got a tensor without dimensions. Use {parameter}.reshape(1, 1).", parameter);
    }

    /// <summary>Checks that a tensor is floating point, and has the dtype (unless any will do) and the device of the module's weights, if it has any.</summary>
    public static void Like(Tensor tensor, string parameter, string owner, Tensor? weight, bool anyDtype = false)
    {
        if (!tensor.is_floating_point())
            throw new ArgumentException($"{owner} expects {parameter} with a floating-point dtype; got {tensor.dtype}. Convert it: {parameter}.to(torch.float32).", parameter);
        if (weight is null) return;
        if (!anyDtype && tensor.dtype != weight.dtype)
            throw new ArgumentException($"{owner} has weights of dtype {weight.dtype}, but {parameter} has {tensor.dtype}. Convert one of them: {parameter}.to({Name(weight.dtype)}) or module.to({Name(tensor.dtype)}).", parameter);
        if (tensor.device_type != weight.device_type || tensor.device_index != weight.device_index)
            throw new ArgumentException($"{owner} has weights on {weight.device}, but {parameter} is on {tensor.device}. Move one of them: {parameter}.to(\"{weight.device}\") or module.to(\"{tensor.device}\").", parameter);
    }

    /// <summary>Checks the context of shape (N, <paramref name="size"/>); a size of 0 means that no context is used.</summary>
    public static void Context(Tensor? context, long size, long examples, string owner, Tensor? weight)
    {
        if (context is null)
        {
            if (size == 0) return;
            throw new ArgumentNullException(nameof(context), $"{owner} is conditional: it needs a context of shape ({examples}, {size}).");
        }
        Tensor(context, nameof(context));
        if (size == 0)
            throw new ArgumentException($"{owner} takes no context, but one of shape {EventShape.Format(context.shape)} was given. Build it with a context size to make it conditional.", nameof(context));
        if (context.dim() != 2 || context.shape[0] != examples || context.shape[1] != size)
            throw new ArgumentException($"{owner} expects a context of shape ({examples}, {size}), one row an example; got {EventShape.Format(context.shape)}.", nameof(context));
        Like(context, nameof(context), owner, weight);
    }

    /// <summary>Throws where a tensor holds NaN or infinity. One pass over the tensor.</summary>
    public static void Finite(Tensor tensor, string parameter, string owner)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var good = tensor.isfinite();
        if (good.all().Fetch<bool>()) return;
        var bad = good.logical_not().nonzero();
        var at = EventShape.Format(bad[0].FetchInt64s());
        throw new ArgumentException($"{owner} expects finite values; {parameter} holds {bad.shape[0]} value(s) that are NaN or infinite, the first at index {at}. Remove or replace them.", parameter);
    }

    public static long Positive(long value, string parameter, string what) =>
        value >= 1 ? value : throw new ArgumentOutOfRangeException(parameter, value, $"{what} must be at least 1.");

    /// <summary>The size D of a shape [D].</summary>
    public static long Vector(EventShape shape, string parameter, string what) =>
        shape.Count == 1 && shape[0] >= 1 ? shape[0] : throw new ArgumentException($"{what} needs a vector [D] of a known size; got {shape}.", parameter);

    private static string Batched(EventShape shape) => $"(N, {string.Join(", ", shape.Select(s => s == -1 ? "*" : s.ToString(System.Globalization.CultureInfo.InvariantCulture)))})";

    private static string Name(ScalarType dtype) => "torch." + dtype.ToString().ToLowerInvariant();
}
