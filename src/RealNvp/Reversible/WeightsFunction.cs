using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Stands for some weights in the graph: weights → one number. Its
/// backward gives autograd the gradients that the run has computed.</summary>
internal sealed class WeightsFunction : KernelFunction<WeightsFunction>
{
    private const string RunKey = "run", StartKey = "start", EndKey = "end";

    /// <summary>Arguments: the weights, the <see cref="ReversibleRun"/>, the place of the first weight.</summary>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (run, start) = ((ReversibleRun)arguments[^2], (int)arguments[^1]);
        context.save_data(RunKey, run);
        context.save_data(StartKey, start);
        context.save_data(EndKey, start + arguments.Length - 2);
        var first = (Tensor)arguments[0];
        return [zeros(1, dtype: first.dtype, device: first.device)];
    }

    // the gradients of weights
    protected override bool KeepsTensors => true;

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var run = (ReversibleRun)context.get_data(RunKey);
        var (start, end) = ((int)context.get_data(StartKey), (int)context.get_data(EndKey));
        // autograd has copied these by now
        run.Given.ForEach(g => g.Dispose());
        run.Given.Clear();
        var given = run.TakeGradients(start, end);
        run.Given.AddRange(given.OfType<Tensor>());
        return [.. given, null, null];
    }
}
