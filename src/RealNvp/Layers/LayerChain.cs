using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>Neighbours that run as one: see <see cref="IJoinsChain"/>.</summary>
internal static class LayerChain
{
    /// <summary>Runs as many layers as go in one operation, from one of them on; null if that is none.</summary>
    /// <param name="layers">The layers in the order in which they are applied.</param>
    /// <param name="at">The first.</param>
    /// <param name="end">Behind the last that may go along.</param>
    /// <param name="input">What it gets.</param>
    /// <param name="pass">The pass.</param>
    /// <param name="inverse">The direction of all of them.</param>
    public static (Tensor Value, Tensor? LogDet, int Count)? Run(Bijection[] layers, int at, int end, Tensor input, Pass pass,
        bool inverse)
    {
        if (at + 1 >= end || layers[at] is not IJoinsChain || layers[at + 1] is not IJoinsChain) return null;
        if (!CanRun(input, pass)) return null;
        using var scope = NewDisposeScope();
        var steps = new List<ChainStep>(end - at);
        while (at + steps.Count < end && StepFor(layers[at + steps.Count], input, pass, inverse) is { } step
            && RowChain.HasRoom(step, input.shape[0])) steps.Add(step);
        if (!RowChain.IsWorth(steps)) return null;
        var (value, logDet) = RowChain.Run(steps, input, pass.Context);
        return (scope.MoveToOuter(value), logDet is null ? null : scope.MoveToOuter(logDet), steps.Count);
    }

    /// <summary>A layer as a step; null if it is none, now or ever, or disposed.</summary>
    public static ChainStep? StepFor(Bijection layer, Tensor like, Pass pass, bool inverse) =>
        layer is IJoinsChain joining && layer.IsUsable && joining.StepFor(like, pass, inverse) is { } step && RowChain.CanRead(step) ? step
            : null;

    private static bool CanRun(Tensor input, Pass pass)
    {
        if (!KernelSwitches.Chain || pass.State is { IsWatched: true } or { Tape: not null }) return false;
        return IsMatrix(input) && (pass.Context is not { } context || IsMatrix(context));
    }

    private static bool IsMatrix(Tensor matrix) =>
        matrix.dim() == 2 && DenseNetwork.IsMatrix(matrix, matrix.size(1)) && matrix.numel() is > 0 and <= int.MaxValue;
}
