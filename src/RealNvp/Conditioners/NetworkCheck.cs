using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Refuses a network that does not fit its layer, when the layer is built.</summary>
internal static class NetworkCheck
{
    /// <summary>So many that a network that loses examples is found.</summary>
    private const long Examples = 2;

    /// <summary>The network of a layer, the caller's or one that a function makes, which is disposed if it does not fit; and whether it was seen to fit.</summary>
    public static (nn.Module Network, bool IsChecked) Network(nn.Module? conditioner, Func<ConditionerSizes, nn.Module>? network, ConditionerSizes sizes, string owner)
    {
        if (conditioner is not null) return (conditioner, Require(conditioner, sizes, owner, nameof(conditioner)));
        var made = network!(sizes) ?? throw new ArgumentException($"The function that makes the network of {owner} returned null; it must return a network that maps {sizes}.", nameof(network));
        try { return (made, Require(made, sizes, owner, nameof(network))); }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>Throws if a network does not fit. False if only a call can tell, because the layer is for examples of any size.</summary>
    /// <exception cref="ArgumentException">What the network maps, what it must map, and how to make one that fits.</exception>
    private static bool Require(nn.Module network, ConditionerSizes sizes, string owner, string parameter)
    {
        var context = (network as Conditioner)?.ContextSize ?? 0;
        if (sizes.ContextSize > 0 && context != sizes.ContextSize)
            throw new ArgumentException($"{Of(network, owner)} takes {(context == 0 ? "no context" : $"{context} context features")}; the layer was asked for {sizes.ContextSize}. Make it with contextSize: size.ContextSize.", parameter);
        if (network is INetworkShapes { InputShape: { } takes, OutputShape: { } gives })
        {
            return Compatible(takes, sizes.InputShape) && Compatible(gives, sizes.OutputShape)
                ? true
                : throw new ArgumentException($"{Of(network, owner)} maps {ConditionerSizes.Batched(takes)} to {ConditionerSizes.Batched(gives)}; {Rule(sizes)}", parameter);
        }
        if (!sizes.InputShape.IsFixed) return false;
        Try(network, sizes, owner, parameter);
        return true;
    }

    /// <summary>What a layer says if its network fails at the first call.</summary>
    public static string Failure(nn.Module network, ConditionerSizes sizes, string owner, long[] input, Exception error) =>
        $"{Of(network, owner)} fails on {EventShape.Format(input)}: {error.Message.Split('\n')[0].TrimEnd('.')}. {Upper(Rule(sizes))}";

    private static void Try(nn.Module network, ConditionerSizes sizes, string owner, string parameter)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var mode = EvaluationMode.Enter(network);
        using var random = RandomState.Keep();
        var weight = network.parameters().Concat(network.buffers()).FirstOrDefault(t => t.is_floating_point());
        var (dtype, device) = (weight?.dtype ?? get_default_dtype(), weight?.device ?? get_default_device());
        var input = zeros(sizes.InputShape.WithBatch(Examples), dtype: dtype, device: device);
        Tensor? output;
        try
        {
            output = network is Conditioner conditional
                ? conditional.call(input, conditional.ContextSize == 0 ? null : zeros([Examples, conditional.ContextSize], dtype: dtype, device: device))
                : ((nn.Module<Tensor, Tensor>)network).call(input);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new ArgumentException(Failure(network, sizes, owner, input.shape, e), parameter, e);
        }
        if (output is null || output.dim() < 1 || output.shape[0] != Examples || !sizes.OutputShape.Matches(output.shape.AsSpan(1)))
            throw new ArgumentException($"{Of(network, owner)} maps {EventShape.Format(input.shape)} to {(output is null ? "null" : EventShape.Format(output.shape))}; {Rule(sizes)}", parameter);
    }

    /// <summary>The network in messages.</summary>
    public static string Of(nn.Module network, string owner) => $"The network of {owner} ({network.GetType().Name})";

    private static string Rule(ConditionerSizes sizes) =>
        $"it must map {sizes}, {sizes.ParametersPerElement} parameter(s) for each transformed channel or feature. Let the layer say the sizes: size => new Mlp(size.Inputs, size.Outputs, ...).";

    private static string Upper(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static bool Compatible(EventShape a, EventShape b) => a.Count == b.Count && a.Zip(b).All(p => p.First == p.Second || p.First == -1 || p.Second == -1);
}
