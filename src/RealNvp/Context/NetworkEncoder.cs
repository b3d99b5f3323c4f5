using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Turns contexts of any shape, such as images or series, into vectors (N, C) with a network of yours.</summary>
/// <remarks>State-dict keys: <c>network.*</c>. It owns the network.</remarks>
public sealed partial class NetworkEncoder : ContextEncoder
{
    private readonly nn.Module<Tensor, Tensor> network;

    /// <summary>Makes an encoder with a network.</summary>
    /// <param name="contextShape">The shape of one context; sizes may be -1.</param>
    /// <param name="size">C, the number of features that the network gives.</param>
    /// <param name="network">Maps contexts (N, ...) to (N, C).</param>
    public NetworkEncoder(EventShape contextShape, long size, nn.Module<Tensor, Tensor> network)
        : base(nameof(NetworkEncoder), contextShape, size)
    {
        ArgumentNullException.ThrowIfNull(network);
        this.network = Internal.ModuleLife.Alive(network, nameof(network), nameof(NetworkEncoder));
        RegisterComponents();
    }

    /// <summary>Turns contexts (N, ...) into vectors (N, C). The caller disposes them.</summary>
    /// <exception cref="InvalidOperationException">The network gives another shape.</exception>
    public override Tensor forward(Tensor input)
    {
        CheckContext(input, null, $"{nameof(NetworkEncoder)}.forward", values: false);
        var features = Encoded(input);
        if (features.dim() == 2 && features.shape[0] == input.shape[0] && features.shape[1] == Size) return features;
        using (features)
            throw new InvalidOperationException(
                $"The network of a {nameof(NetworkEncoder)} must give ({input.shape[0]}, {Size}); it gave " +
                $"{EventShape.Format(features.shape)}.");
    }

    // a network of the caller's says in its own way, or in libtorch's, that a dtype or a device is not for it
    private Tensor Encoded(Tensor input)
    {
        try { return network.call(input)
            ?? throw new InvalidOperationException($"The network of a {nameof(NetworkEncoder)} returned null."); }
        catch (System.Runtime.InteropServices.ExternalException e)
        {
            throw new ArgumentException(
                $"The network of a {nameof(NetworkEncoder)} fails on {input.dtype} {EventShape.Format(input.shape)} on {input.device}: " +
                $"{e.Message.Split('\n')[0].TrimEnd('.')}. Give contexts that it takes.", nameof(input), e);
        }
    }

    /// <inheritdoc/>
    protected override void CheckValues(Tensor context, string owner)
    {
        if (context is { } c && c.is_floating_point()) Check.Finite(c, nameof(context), owner);
    }
}
