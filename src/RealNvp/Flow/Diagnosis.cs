using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Finds the first layer or parameter that gives NaN or infinity.</summary>
internal static class Diagnosis
{
    /// <summary>The name of the first layer whose value or log-det is not finite while
    /// <paramref name="run"/> runs, and what of it; null if all are finite.</summary>
    public static (string Layer, string What)? FirstLayer(Flow flow, Action run)
    {
        var names = LayerNames(flow);
        (string, string)? found = null;
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using (PassState.Observe(call =>
        {
            if (found is not null) return;
            using var inner = NewDisposeScope();
            var what = !IsFinite(call.Value) ? "value" : call.LogDet is not null && !IsFinite(call.LogDet) ? "log-determinant" : null;
            if (what is not null && IsFinite(call.Input)) found = (names(call.Layer), what);
        }))
            run();
        return found;
    }

    /// <summary>How messages name a layer of a flow: by its place and its kind.</summary>
    public static Func<nn.Module, string> LayerNames(Flow flow)
    {
        var names = flow.named_modules().Where(m => m.module is Bijection).ToDictionary(m => m.module, m => m.name,
            (IEqualityComparer<nn.Module>)ReferenceEqualityComparer.Instance);
        return layer => $"{names.GetValueOrDefault(layer, "bijection")} ({layer.GetName()})";
    }

    /// <summary>Which examples of a batch have a log-probability of minus infinity
    /// in training, and why; null if none has, or if another has NaN.</summary>
    public static string? Outside(Flow flow, Tensor x, Tensor? context, long? seed)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        (Tensor Value, Tensor? LogDet)? last = null;
        Tensor logProb;
        using (PassState.Observe(call =>
        {
            if (ReferenceEquals(call.Layer, flow.Bijection))
                last = (call.Value.alias().MoveToOtherDisposeScope(scope), call.LogDet?.alias().MoveToOtherDisposeScope(scope));
        }))
            logProb = flow.TrainingLogProb(x, context, seed);
        var rows = logProb.isneginf();
        if (last is not { } l || !rows.any().Fetch<bool>() || logProb.isnan().any().Fetch<bool>() || logProb.isposinf().any().Fetch<bool>())
            return null;
        var bad = rows.nonzero().flatten();
        var z = l.Value.index_select(0, bad);
        var where = $"{Check.Rows(rows, verbs: ("of the batch has", "of the batch have"))} a log-probability of minus infinity";
        var (its, lies, they) = bad.shape[0] == 1 ? ("its latent", "lies", "it is") : ("their latents", "lie", "they are");
        if (l.LogDet is { } det && det.isneginf().any().Fetch<bool>()) return $"{where}: a layer says that {they} outside of its domain";
        if (flow.BaseDensity.OutsideSupport(z)?.nonzero() is not { } at || at.shape[0] == 0)
            return $"{where}: {its} {lies} where {flow.BaseDensity.GetName()} has no density that {z.dtype} can hold";
        var index = at[0].FetchInt64s();
        var value = z.flatten()[Flat(index, z.shape)].FetchDouble();
        return string.Create(CultureInfo.InvariantCulture,
            $"{where}: {its} {lies} outside of the support of {flow.BaseDensity.GetName()}, {at.shape[0]} element(s) in all, the first " +
            $"being {EventShape.Format(index.AsSpan(1))} = {value:G6} of the latent of row {bad[index[0]].FetchInt64()}");
    }

    private static long Flat(long[] index, long[] shape)
    {
        long at = 0;
        for (var i = 0; i < shape.Length; i++) at = (at * shape[i]) + index[i];
        return at;
    }

    /// <summary>The name of the first parameter whose value or gradient is not finite; null if all are finite.</summary>
    public static string? FirstParameter(nn.Module module, bool gradients)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in module.named_parameters())
            if ((gradients ? parameter.grad : parameter) is { } tensor && !IsFinite(tensor)) return name;
        return null;
    }

    private static bool IsFinite(Tensor tensor) => tensor.isfinite().all().Fetch<bool>();
}
