using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The network in plain operations.</summary>
internal static class DenseReference
{
    /// <summary>The output.</summary>
    /// <param name="program">The network.</param>
    /// <param name="tensors">Its tensors.</param>
    /// <param name="drop">Applied to what enters the last layer of each block; null for nothing.</param>
    public static Tensor Forward(DenseProgram program, DenseTensors tensors, Func<Tensor, Tensor>? drop = null)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Results(program, tensors, drop)[^1]);
    }

    /// <summary>The gradients with a graph of their own, null for what requires none.</summary>
    public static List<Tensor?> Gradients(DenseProgram program, DenseTensors tensors, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var layers = program.Layers.Count;
        var entering = Results(program, tensors).Select((r, i) => program.IsActivated(i + 1) ? r.relu() : r).ToArray();
        var results = new Tensor?[tensors.HasMasks ? tensors.Masks + layers : tensors.Masks];
        var here = gradient;
        // of the result after the one that `here` belongs to, which a residual block adds to the one before
        Tensor? later = null;
        for (var i = layers - 1; i >= 0; i--)
        {
            var at = tensors.First + (2 * i);
            var input = i == 0 ? tensors.X : entering[i - 1];
            if (tensors.Weight(i).requires_grad) results[at] = Masked(here.t().mm(input), tensors.Mask(i));
            if (tensors.Bias(i).requires_grad) results[at + 1] = here.sum([0L]);
            if (i == 0) break;
            var before = here.mm(Masked(tensors.Weight(i), tensors.Mask(i)));
            if (program.IsActivated(i)) before = before.masked_fill(entering[i - 1].le(Scalars.Zero), Scalars.Zero);
            if (program.IsAddedLater(i - 1)) before = before.add(later!, Scalars.One);
            (here, later) = (before, here);
        }
        if (tensors.X.requires_grad) results[0] = here.mm(Masked(tensors.Weight(0), tensors.Mask(0)));
        if (tensors.HasContext)
        {
            if (tensors.Context!.requires_grad) results[1] = here.mm(tensors.ContextWeight!);
            if (tensors.ContextWeight!.requires_grad) results[2] = here.t().mm(tensors.Context);
        }
        foreach (var result in results)
            if (result is not null) scope.MoveToOuter(result);
        return [.. results];
    }

    private static List<Tensor> Results(DenseProgram program, DenseTensors tensors, Func<Tensor, Tensor>? drop = null)
    {
        var results = new List<Tensor>();
        for (var i = 0; i < program.Layers.Count; i++)
        {
            var input = i == 0 ? tensors.X : program.IsActivated(i) ? results[i - 1].relu() : results[i - 1];
            if (drop is not null && program.EndsBlock(i)) input = drop(input);
            var result = nn.functional.linear(input, Masked(tensors.Weight(i), tensors.Mask(i)), tensors.Bias(i));
            if (i == 0 && tensors.HasContext)
                result = result.add(nn.functional.linear(tensors.Context!, tensors.ContextWeight!), Scalars.One);
            if (program.Layers[i].AddsSkip) result = result.add(results[i - 2], Scalars.One);
            results.Add(result);
        }
        return results;
    }

    private static Tensor Masked(Tensor weight, Tensor? mask) => mask is null ? weight : weight.mul(mask);
}
