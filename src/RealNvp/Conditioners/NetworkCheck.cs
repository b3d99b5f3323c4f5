using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Refuses a network that does not fit its layer, when the layer is built.</summary>
internal static class NetworkCheck
{
    /// <summary>So many that a network that loses examples is found.</summary>
    private const long Examples = 2;

    /// <summary>The network of a layer, the caller's or one that a function makes,
    /// which is disposed if it does not fit; and whether it was seen to fit.</summary>
    public static (nn.Module Network, bool IsChecked) Network(nn.Module? conditioner, Func<ConditionerSizes, nn.Module>? network,
        ConditionerSizes sizes, string owner)
    {
        if (conditioner is not null) return (conditioner, Require(conditioner, sizes, owner, nameof(conditioner)));
        var made = network!(sizes)
            ?? throw new ArgumentException(
            $"The function that makes the network of {owner} returned null; it must return a network that maps {sizes}.", nameof(network));
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
        ModuleLife.Alive(network, parameter, owner);
        var context = (network as Conditioner)?.ContextSize ?? 0;
        if (sizes.ContextSize > 0 && context != sizes.ContextSize)
            throw new ArgumentException(
                $"{Of(network, owner)} takes {(context == 0 ? "no context" : $"{context} context features")}; the layer was asked for " +
                $"{sizes.ContextSize}. Make it with contextSize: size.ContextSize.", parameter);
        if (network is INetworkShapes { InputShape: { } takes, OutputShape: { } gives })
        {
            return Compatible(takes, sizes.InputShape) && Compatible(gives, sizes.OutputShape)
                ? true
                : throw new ArgumentException(
                    $"{Of(network, owner)} maps {ConditionerSizes.Batched(takes)} to {ConditionerSizes.Batched(gives)}; {Rule(sizes)}",
                    parameter);
        }
        if (!sizes.InputShape.IsFixed) return false;
        Try(network, sizes, owner, parameter);
        return true;
    }

    /// <summary>What a layer says if its network fails at the first call.</summary>
    public static string Failure(nn.Module network, ConditionerSizes sizes, string owner, long[] input, Exception error) =>
        $"{Of(network, owner)} fails on {EventShape.Format(input)}: {error.Message.Split('\n')[0].TrimEnd('.')}. " +
        Upper(Rule(sizes));

    /// <summary>Dtype and device of a network's input: those of its weights.</summary>
    public static (ScalarType Dtype, Device Device) Home(nn.Module network)
    {
        var weight = network.parameters().Concat(network.buffers()).FirstOrDefault(t => t.is_floating_point());
        return (weight?.dtype ?? get_default_dtype(), weight?.device ?? get_default_device());
    }

    /// <summary>Calls a network, and throws if it fails or gives another shape than it must. Torch's
    /// random state stays as it was, so that a network that draws does the same each time.</summary>
    /// <param name="network">Of the user's, or of the library's.</param>
    /// <param name="sizes">What it must map.</param>
    /// <param name="input">(N, ...), of its <see cref="Home"/>.</param>
    /// <param name="context">(N, C) if it takes a context.</param>
    /// <param name="owner">The layer.</param>
    /// <param name="parameter">What the caller called the network.</param>
    public static Tensor Call(nn.Module network, ConditionerSizes sizes, Tensor input, Tensor? context, string owner, string parameter)
    {
        using var random = RandomState.Keep();
        Tensor? output;
        try { output = network is Conditioner conditional ? conditional.call(input, context)
            : ((nn.Module<Tensor, Tensor>)network).call(input); }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new ArgumentException(Failure(network, sizes, owner, input.shape, e), parameter, e);
        }
        return output is not null && output.dim() >= 1 && output.shape[0] == input.shape[0]
            && sizes.OutputShape.Matches(output.shape.AsSpan(1))
            ? output
            : throw new ArgumentException(
                $"{Of(network, owner)} maps {EventShape.Format(input.shape)} to " +
                $"{(output is null ? "null" : EventShape.Format(output.shape))}; {Rule(sizes)}", parameter);
    }

    private static void Try(nn.Module network, ConditionerSizes sizes, string owner, string parameter)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var mode = EvaluationMode.Enter(network);
        var (dtype, device) = Home(network);
        var context = network is Conditioner { ContextSize: > 0 and var size } ? zeros([Examples, size], dtype: dtype, device: device)
            : null;
        Call(network, sizes, zeros(sizes.InputShape.WithBatch(Examples), dtype: dtype, device: device), context, owner, parameter);
    }

    /// <summary>The network in messages.</summary>
    public static string Of(nn.Module network, string owner) => $"The network of {owner} ({network.GetType().Name})";

    private static string Rule(ConditionerSizes sizes) => $"it must map {sizes}, " + (sizes.Advice
        ?? $"{sizes.ParametersPerElement} parameter(s) for each transformed channel or feature. Let the layer say the sizes: " +
            $"size => new Mlp(size.Inputs, size.Outputs, ...).");

    private static string Upper(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static bool Compatible(EventShape a, EventShape b) =>
        a.Count == b.Count && a.Zip(b).All(p => p.First == p.Second || p.First == -1 || p.Second == -1);
}
