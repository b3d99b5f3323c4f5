using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Finds the first layer or parameter that gives NaN or infinity.</summary>
internal static class Diagnosis
{
    /// <summary>The name of the first layer whose value or log-det is not finite while <paramref name="run"/> runs, and what of it; null where all are finite.</summary>
    public static (string Layer, string What)? FirstLayer(Flow flow, Action run)
    {
        var names = LayerNames(flow);
        (string, string)? found = null;
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using (Bijection.Observe(call =>
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
    public static Func<Bijection, string> LayerNames(Flow flow)
    {
        var names = flow.named_modules().Where(m => m.module is Bijection).ToDictionary(m => m.module, m => m.name, (IEqualityComparer<nn.Module>)ReferenceEqualityComparer.Instance);
        return layer => $"{names.GetValueOrDefault(layer, "bijection")} ({layer.GetName()})";
    }

    /// <summary>The name of the first parameter whose value or gradient is not finite; null where all are finite.</summary>
    public static string? FirstParameter(nn.Module module, bool gradients)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in module.named_parameters())
            if ((gradients ? parameter.grad : parameter) is { } tensor && !IsFinite(tensor)) return name;
        return null;
    }

    private static bool IsFinite(Tensor tensor) => tensor.isfinite().all().Fetch<bool>();
}
