using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Refuses a network whose Jacobian a residual layer cannot have, when the layer is built.</summary>
internal static class ResidualNetworkCheck
{
    /// <summary>Throws if a network mixes examples or cannot be differentiated.</summary>
    public static void Require(nn.Module network, EventShape shape, long contextSize, string parameter)
    {
        if (network is ICallsOnce) return;
        var owner = NetworkCheck.Of(network, nameof(ResidualLayer));
        if (network.modules().Prepend(network).FirstOrDefault(m => m is IMixesBatch or TorchSharp.Modules.BatchNorm) is { } mixing)
            throw new ArgumentException(
                $"{owner} has a {mixing.GetType().Name}, in which the examples of a batch influence each other in training, so that an " +
                $"example has no Jacobian of its own. Leave it out.", parameter);
        using var scope = NewDisposeScope();
        using var mode = EvaluationMode.Enter(network);
        using var random = RandomState.Keep();
        using var gradients = enable_grad();
        var (dtype, device) = NetworkCheck.Home(network);
        var x = zeros(shape.WithBatch(2), dtype: dtype, device: device, requires_grad: true);
        var context = contextSize > 0 ? zeros([2, contextSize], dtype: dtype, device: device) : null;
        try
        {
            // backward says what is wrong, while grad, which the layer needs, ends the process
            var y = NetworkCall.Of(network).Run(x, context);
            if (y.requires_grad) autograd.backward([y.sum()], null, false, false, [x]);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new ArgumentException(
                $"{owner} cannot be differentiated, which its log-determinant needs: " +
                $"{e.Message.Split('\n')[0]}", parameter, e);
        }
    }
}
