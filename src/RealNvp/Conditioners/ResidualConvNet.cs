using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The residual convolution network of Real NVP: 3×3 convolutions with weight normalization, batch normalization, residual blocks, and
/// the sum of a 1×1 skip connection from every block as the output (arXiv 1605.08803, section 3.7 and 4.1).
/// </summary>
/// <remarks>
/// <para>Maps (N, I, H, W) to (N, O, H, W). The last convolution starts at zero, so a new coupling is the identity.</para>
/// <para>A context (N, C) enters as a linear map of it, added to the channels after the first convolution.</para>
/// <para>State-dict keys: <c>in_norm</c>, <c>in_conv</c>, <c>in_skip</c>, <c>blocks.i.{in_norm, in_conv, out_norm, out_conv}</c>,
/// <c>skips.i</c>, <c>out_norm</c>, <c>out_conv</c>, <c>context</c>.</para>
/// </remarks>
public sealed partial class ResidualConvNet : Conditioner
{
    private readonly ChannelBatchNorm? in_norm, out_norm;
    private readonly WeightNormConv2d in_conv, in_skip, out_conv;
    private readonly ModuleList<ResidualBlock2d> blocks;
    private readonly ModuleList<WeightNormConv2d> skips;
    private readonly Linear? context;
    private readonly bool concatenated, doubled;

    /// <summary>Makes the network.</summary>
    /// <param name="inputs">I, the number of input channels.</param>
    /// <param name="outputs">O, the number of output channels.</param>
    /// <param name="options">The form of the network; null for the defaults.</param>
    public ResidualConvNet(long inputs, long outputs, ResidualConvNetOptions? options = null)
        : base(nameof(ResidualConvNet), (options ??= new()).ContextSize)
    {
        Check.Positive(inputs, nameof(inputs), "The number of input channels");
        Check.Positive(outputs, nameof(outputs), "The number of output channels");
        var hidden = Check.Positive(options.HiddenChannels, nameof(options), "The number of hidden channels");
        Check.Depth(options.Blocks, 0, nameof(options), "The number of blocks");
        (InputShape, OutputShape) = (EventShape.Create(inputs, -1, -1), EventShape.Create(outputs, -1, -1));
        ChannelBatchNorm? Norm(long channels) => options.BatchNorm ? new ChannelBatchNorm(channels, options.Statistics, options.Momentum)
            : null;

        (concatenated, doubled) = (options.ConcatenatedRelu, options.DoubleInput);
        in_norm = Norm(inputs);
        in_conv = new WeightNormConv2d(concatenated ? 2 * inputs : inputs, hidden, 3);
        in_skip = new WeightNormConv2d(hidden, hidden, 1);
        if (ContextSize > 0) context = Weights.Linear(ContextSize, hidden, bias: false);
        blocks = [];
        skips = [];
        for (var i = 0; i < options.Blocks; i++)
        {
            blocks.Add(new ResidualBlock2d(hidden, Norm));
            skips.Add(new WeightNormConv2d(hidden, hidden, 1));
        }
        out_norm = Norm(hidden);
        out_conv = new WeightNormConv2d(hidden, outputs, 1, zero: true);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(ResidualConvNet)}.forward", in_skip.Direction);
        using var scope = NewDisposeScope();
        var h = in_norm is null ? input : in_norm.call(input);
        if (doubled) h = h.mul(Scalars.Two);
        if (concatenated) h = cat([h, h.neg()], 1).relu();
        if (Kernel(h, context) is { } whole) return scope.MoveToOuter(whole);
        if (ChannelsLast.CanRun(h)) h = ChannelsLast.Of(h);
        h = in_conv.call(h);
        if (this.context is not null && context is not null) h = h.add(this.context.call(context).unsqueeze(-1).unsqueeze(-1), Scalars.One);
        var skip = in_skip.call(h);
        for (var i = 0; i < blocks.Count; i++)
        {
            h = blocks[i].call(h);
            using var one = skips[i].call(h);
            skip.add_(one, Scalars.One);
        }
        return scope.MoveToOuter(out_conv.AfterRelu(out_norm, skip));
    }

    // all behind the first normalization as one kernel; null if there is none for it
    private Tensor? Kernel(Tensor input, Tensor? given)
    {
        if ((context is not null && given is not null) || !in_conv.IsExact || (out_norm is { } norm && training && !norm.NormalizesBatch))
            return null;
        List<Tensor> tensors = [input, .. in_conv.Parts, .. in_skip.Parts];
        List<ImageNorm> norms = [];
        for (var i = 0; i < blocks.Count; i++)
        {
            tensors.AddRange(blocks[i].Parts);
            tensors.AddRange(skips[i].Parts);
            norms.AddRange(blocks[i].Norms.Select(n => n.Averages));
        }
        if (out_norm is not null)
        {
            tensors.AddRange([out_norm.Parts.Weight, out_norm.Parts.Bias]);
            norms.Add(out_norm.Averages);
        }
        tensors.AddRange(out_conv.Parts);
        // computed again, a batch counts no second time
        var counts = PassState.Current?.Tape is not { IsReplaying: true };
        var net = new ResidualNet(new(blocks.Count, out_norm is not null), norms, training, counts);
        return net.CanRun(tensors) ? net.Run(tensors) : null;
    }
}
