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
        if (at + 1 >= end || !MayBegin(layers, at) || !CanRun(input, pass)) return null;
        using var scope = NewDisposeScope();
        var steps = new List<ChainStep>(end - at);
        var next = at;
        while (next < end && Next(layers, next, end, input, pass, inverse, out var count) is { } step
            && RowChain.HasRoom(step, input.size(0)))
        {
            steps.Add(step);
            next += count;
        }
        if (!RowChain.IsWorth(steps)) return null;
        var (value, logDet) = RowChain.Run(steps, input, pass.Context);
        return (scope.MoveToOuter(value), logDet is null ? null : scope.MoveToOuter(logDet), next - at);
    }

    /// <summary>A layer as a step; null if it is none, now or ever, or disposed.</summary>
    public static ChainStep? StepFor(Bijection layer, Tensor like, Pass pass, bool inverse) =>
        layer is IJoinsChain joining && layer.IsUsable && joining.StepFor(like, pass, inverse) is { } step && RowChain.CanRead(step) ? step
            : null;

    // without asking the layers
    private static bool MayBegin(Bijection[] layers, int at)
    {
        bool Joins(int one) => one < layers.Length && layers[one] is IJoinsLayer;
        return Joins(at) || Joins(at + 1) || (layers[at] is IJoinsChain && (layers[at + 1] is IJoinsChain || Joins(at + 2)));
    }

    // the step at a place, of two layers if they go together
    private static ChainStep? Next(Bijection[] layers, int at, int end, Tensor like, Pass pass, bool inverse, out int count)
    {
        count = 2;
        if (at + 1 < end && (inverse ? Joined(layers[at + 1], layers[at]) : Joined(layers[at], layers[at + 1])) is { } both) return both;
        count = 1;
        return StepFor(layers[at], like, pass, inverse);

        ChainStep? Joined(Bijection before, Bijection layer) =>
            layer is IJoinsLayer joining && layer.IsUsable && before.IsUsable
                && joining.StepJoined(before, like, pass, inverse) is { } step && RowChain.CanRead(step) ? step : null;
    }

    private static bool CanRun(Tensor input, Pass pass)
    {
        if (!KernelSwitches.Chain || pass.State is { IsWatched: true } or { Tape: not null }) return false;
        return (IsMatrix(input) || AreImages(input)) && (pass.Context is not { } context || IsMatrix(context));
    }

    private static bool AreImages(Tensor images) => ChannelsLast.CanRun(images) && images.numel() is > 0 and <= int.MaxValue;

    private static bool IsMatrix(Tensor matrix) =>
        matrix.dim() == 2 && DenseNetwork.IsMatrix(matrix, matrix.size(1)) && matrix.numel() is > 0 and <= int.MaxValue;
}
