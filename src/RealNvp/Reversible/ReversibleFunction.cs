using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A reversible run in the graph: input, context and weights → value and log-determinant.</summary>
internal sealed class ReversibleFunction : KernelFunction<ReversibleFunction>
{
    private const string RunKey = "run";

    /// <summary>Arguments: the input, the context if there is one, the tokens of the weights, the <see cref="ReversibleRun"/>.</summary>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var run = (ReversibleRun)arguments[^1];
        context.save_data(RunKey, run);
        var (input, given) = ((Tensor)arguments[0], run.HasContext ? (Tensor)arguments[1] : null);
        using var scope = NewDisposeScope();
        Tensor value;
        Tensor? logDet;
        using (run.Tape.Record(scope)) (value, logDet) = LayerSequence.Run(run.Layers, input, Pass.Here(given), run.Inverse);
        if (ReferenceEquals(value, input)) value = input.clone();
        logDet ??= zeros(input.shape[0], dtype: value.dtype, device: value.device);
        // detached, so that the graph does not hold itself
        List<Tensor> kept = [.. arguments.OfType<Tensor>(), value.detach(), .. run.Tape.Tensors];
        context.save_for_backward(kept);
        foreach (var tensor in kept.Skip(arguments.Length - 1)) scope.MoveToOuter(tensor);
        run.Tape.Release();
        return [scope.MoveToOuter(value), scope.MoveToOuter(logDet)];
    }

    // the gradients of weights
    protected override bool KeepsTensors => true;

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var run = (ReversibleRun)context.get_data(RunKey);
        run.Failed = true;
        if (is_grad_enabled())
            throw new NotSupportedException(
                $"{nameof(Flow.ReversibleTraining)} gives no gradients of gradients. Set it to false for this loss.");
        // a thread that scores has the layers in evaluation mode meanwhile
        using var mode = EvaluationGate.OwnPart(run.Layers[0]);
        for (var i = 0; i < run.Layers.Length; i++)
            if (run.Layers[i].training != run.Training[i])
                throw new InvalidOperationException(
                    $"{run.Layers[i].GetName()} changed between training and evaluation after the loss. With " +
                    $"{nameof(Flow.ReversibleTraining)}, call backward() before eval().");
        using var scope = NewDisposeScope();
        using var suspended = ReversibleSession.Suspend();
        var saved = context.get_saved_variables();
        var inputs = run.Tokens + (run.HasContext ? 2 : 1);
        using var replay = run.Tape.Replay(saved.Skip(inputs + 1));
        try
        {
            var given = run.HasContext ? saved[1].detach().requires_grad_(saved[1].requires_grad) : null;
            var slope = Walk(run, saved[0].detach(), given, saved[inputs], gradients, scope);
            var zero = zeros(1, dtype: gradients[1].dtype, device: gradients[1].device);
            List<Tensor?> all = [slope, .. Enumerable.Repeat<Tensor?>(zero, run.Tokens), null];
            if (run.HasContext) all.Insert(1, given!.grad);
            foreach (var tensor in all.OfType<Tensor>().Distinct<Tensor>(ReferenceEqualityComparer.Instance)) scope.MoveToOuter(tensor);
            run.KeepGradients(scope);
            run.Failed = false;
            return all;
        }
        finally { run.Tape.Release(); }
    }

    // the gradient of the input
    private static Tensor Walk(ReversibleRun run, Tensor input, Tensor? context, Tensor output, List<Tensor> gradients, DisposeScope home)
    {
        run.ClearGradients();
        var walk = new ReverseWalk(run, context, gradients[1], home);
        var (rebuilt, slope) = walk.Through(run.Layers, output, gradients[0], run.Inverse);
        var drift = ReverseWalk.Larger(walk.Drift, ReverseWalk.Distance(rebuilt, input));
        rebuilt.Dispose();
        run.Session.Report(drift);
        if (drift <= ReversibleSession.Limit(input.dtype)) return slope;

        // what the walk could not bring back is computed again from the true input; the next steps keep more
        run.Session.KeepMore();
        run.ClearGradients();
        if (context?.grad is { } spoilt)
        {
            spoilt.Dispose();
            context.grad = null;
        }
        using var inputs = NewDisposeScope();
        using (run.Tape.Store(inputs))
        {
            var (value, logDet) = LayerSequence.Run(run.Layers, input, Pass.Here(context?.detach()), run.Inverse);
            if (!ReferenceEquals(value, input)) value.Dispose();
            logDet?.Dispose();
        }
        return inputs.MoveToOuter(new ReverseWalk(run, context, gradients[1], home).Through(run.Layers, output, gradients[0],
            run.Inverse).Gradient);
    }
}
