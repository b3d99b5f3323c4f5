using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Images;

/// <summary>Labels as the context of a conditional model, and the density of an image whose label is not known.</summary>
internal static class Classes
{
    /// <summary>One row an image: 1 in the column of its label. Null for a model without classes.</summary>
    /// <param name="model">The model that takes them.</param>
    /// <param name="labels">int64 (N), or null.</param>
    /// <param name="count">N.</param>
    /// <exception cref="ArgumentException">The model is conditional, but there are no labels, or one is out of range.</exception>
    public static Tensor? OneHot(FlowModel model, Tensor? labels, long count)
    {
        if (model.ContextSize == 0) return null;
        if (labels is null || labels.shape[0] != count)
            throw new ArgumentException("The model is conditional on labels, but the images have none.");
        var largest = labels.max().ToInt64();
        if (largest >= model.ContextSize)
            throw new ArgumentException($"A label is {largest}, but the model knows {model.ContextSize} classes.");
        return All(model).index_select(0, labels.to(ScalarType.Int64).to(DeviceOf(model)));
    }

    /// <summary>The contexts of all classes, (C, C).</summary>
    public static Tensor All(FlowModel model) => eye(model.ContextSize, device: DeviceOf(model));

    /// <summary>log p(x) = log Σ p(x | c)/C, exact with equally frequent classes, and the class with the largest term; (N) each.</summary>
    public static (Tensor LogProb, Tensor Best) Sum(FlowModel model, Tensor x, long seed)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var contexts = All(model);
        var each = stack([.. Enumerable.Range(0, (int)model.ContextSize)
            .Select(c => model.LogProb(x, contexts[c].unsqueeze(0).expand(x.shape[0], -1), seed))], 1);
        return (scope.MoveToOuter(each.logsumexp(1) - Math.Log(model.ContextSize)), scope.MoveToOuter(each.argmax(1)));
    }

    public static Device DeviceOf(FlowModel model) => model.parameters().First().device;
}
