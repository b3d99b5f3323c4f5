using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Makes networks from the linear layers of a state dict: ours, which have kernels, if they can be the same, or an
/// <see cref="ImportedNetwork"/>.</summary>
internal static class ImportedNetworks
{
    /// <summary>Plain layers, with the context appended to the input.</summary>
    public static Conditioner Plain(ImportedWeights weights, IReadOnlyList<ImportedLinear> parts, PyTorchActivation activation,
        long contextSize)
    {
        var width = parts[0].Outputs;
        if (activation != PyTorchActivation.Relu || parts.Count < 2 || parts.SkipLast(1).Any(p => p.Outputs != width))
            return new ImportedNetwork(weights, parts, residual: false, activation, contextSize);
        var inputs = parts[0].Inputs - contextSize;
        var ours = new Mlp(inputs, parts[^1].Outputs, width, parts.Count - 1, contextSize);
        List<(string, Tensor)> values = [("layers.0.weight", parts[0].Weight.narrow(1, 0, inputs)), ("layers.0.bias", parts[0].Bias)];
        if (contextSize > 0) values.Add(("context.weight", parts[0].Weight.narrow(1, inputs, contextSize)));
        for (var i = 1; i < parts.Count - 1; i++)
            values.AddRange([($"layers.{i}.weight", parts[i].Weight), ($"layers.{i}.bias", parts[i].Bias)]);
        values.AddRange([("last.weight", parts[^1].Weight), ("last.bias", parts[^1].Bias)]);
        return weights.Filled(ours, [.. values]);
    }

    /// <summary>A masked network, whose outputs are all first parameters before
    /// all second ones. The context is appended to the input.</summary>
    /// <param name="weights">Sets the weights.</param>
    /// <param name="parts">The first layer, two or one for each block, the last.</param>
    /// <param name="residual">Whether the blocks are residual.</param>
    /// <param name="activation">The function between layers.</param>
    /// <param name="contextSize">C.</param>
    /// <param name="order">For each position its feature.</param>
    public static Conditioner Masked(ImportedWeights weights, IReadOnlyList<ImportedLinear> parts, bool residual,
        PyTorchActivation activation, long contextSize, long[] order) =>
        (Conditioner?)(activation == PyTorchActivation.Relu ? OurMade(weights, parts, residual, contextSize, order) : null)
        ?? new ImportedNetwork(weights, parts, residual, activation, contextSize);

    /// <summary>An order in which the parameters of each feature depend on the features before it alone, as the masks say.</summary>
    public static long[] Order(ImportedWeights weights, IReadOnlyList<ImportedLinear> parts, int features, string at)
    {
        var needs = Needs(parts, features);
        var order = new List<long>();
        while (order.Count < features)
        {
            var next = Enumerable.Range(0, features).Where(i => !order.Contains(i)
                && Enumerable.Range(0, features).All(j => needs[(i * features) + j] == 0 || order.Contains(j))).ToArray();
            if (next.Length == 0)
                throw weights.Fault($"the masks of '{FileText.Name(at)}' let features depend on one another in a circle");
            order.AddRange(next.Select(i => (long)i));
        }
        return [.. order];
    }

    /// <summary>Whether features depend on those of a lower class alone.</summary>
    public static bool Agrees(IReadOnlyList<ImportedLinear> parts, long[] classes, int features)
    {
        var needs = Needs(parts, features);
        return classes.Length == features
            && !Enumerable.Range(0, features * features).Any(k => needs[k] != 0 && classes[k / features] <= classes[k % features]);
    }

    // which features the parameters of each depend on, through the masks; outputs are all first parameters before all second ones
    private static double[] Needs(IReadOnlyList<ImportedLinear> parts, int features)
    {
        Tensor? reach = null;
        foreach (var part in parts.Reverse())
        {
            var mask = tensor(part.Mask!).to(float64);
            reach = reach is null ? mask : reach.mm(mask).gt(Scalars.Zero).to(float64);
        }
        return reach!.unflatten(0, [-1, features]).amax([0L]).narrow(1, 0, features).FetchDoubles();
    }

    // ours has its hidden units sorted by degree, how many features one sees, in numbers that the widths say
    private static Made? OurMade(ImportedWeights weights, IReadOnlyList<ImportedLinear> parts, bool residual, long contextSize,
        long[] order)
    {
        var (features, width) = (order.Length, parts[0].Outputs);
        if (parts.Count < 2 || parts.Any(p => p.Mask is null || p.Norm is not null) || parts.SkipLast(1).Any(p => p.Outputs != width)
            || parts[0].Inputs != features + contextSize) return null;
        var degrees = Enumerable.Range(0, (int)width).Select(j => Enumerable.Range(0, features).Count(i => parts[0].Mask![j, i])).ToArray();
        long[] sorted = [.. Enumerable.Range(0, (int)width).OrderBy(j => degrees[j]).Select(j => (long)j)];
        var least = contextSize > 0 || features == 1 ? 0 : 1;
        for (var j = 0; j < width; j++)
            if (degrees[sorted[j]] != least + (j * (features - least) / width)) return null;
        var position = new int[features];
        for (var i = 0; i < features; i++) position[order[i]] = i;
        if (!Is(parts[0], (j, i) => i >= features || degrees[j] > position[i])
            || !parts.Skip(1).SkipLast(1).All(part => Is(part, (to, from) => degrees[to] >= degrees[from]))
            || !Is(parts[^1], (output, from) => position[output % features] >= degrees[from])) return null;

        var blocks = residual ? (parts.Count - 2) / 2 : parts.Count - 2;
        var made = new Made(features, parts[^1].Outputs / features, new() { Hidden = width, Blocks = blocks, Residual = residual,
            FinalActivation = !residual, Order = order, ContextSize = contextSize });
        var columns = tensor(sorted);
        var first = parts[0].Rows(sorted);
        List<(string, Tensor)> values = [("first.weight", first.Weight.narrow(1, 0, features)), ("first.bias", first.Bias),
            ("last.weight", parts[^1].Weight.index_select(1, columns)), ("last.bias", parts[^1].Bias)];
        if (contextSize > 0) values.Add(("context.weight", first.Weight.narrow(1, features, contextSize)));
        for (var i = 1; i < parts.Count - 1; i++)
        {
            var name = !residual ? $"inner.{i - 1}" : (i % 2 == 1 ? $"inner.{(i - 1) / 2}" : $"outer.{(i - 1) / 2}");
            var part = parts[i].Rows(sorted);
            values.AddRange([($"{name}.weight", part.Weight.index_select(1, columns)), ($"{name}.bias", part.Bias)]);
        }
        return weights.Filled(made, [.. values]);
    }

    private static bool Is(ImportedLinear part, Func<int, int, bool> expected)
    {
        for (var i = 0; i < part.Mask!.GetLength(0); i++)
            for (var j = 0; j < part.Mask.GetLength(1); j++)
                if (part.Mask[i, j] != expected(i, j)) return false;
        return true;
    }
}
