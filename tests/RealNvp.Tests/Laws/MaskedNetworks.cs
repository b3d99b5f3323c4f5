using RealNvp.Onnx;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>Masked networks as a user writes them, from modules and tensors alone.</summary>
public static class MaskedNetworks
{
    /// <summary>Two masked layers with a tanh between them; the last one starts as it is drawn.</summary>
    public static Sequential Modules(ConditionerSizes size, long[] order, int hidden = 9) =>
        nn.Sequential(First(size, order, hidden), nn.Tanh(), Last(size, order, hidden));

    /// <summary>Unit j sees the first j % D features of the order.</summary>
    public static MaskedLinear First(ConditionerSizes size, long[] order, int hidden) =>
        new(hidden, order.Length, (unit, feature) => unit % order.Length > Array.IndexOf(order, (long)feature));

    public static MaskedLinear Last(ConditionerSizes size, long[] order, int hidden, Func<int, int, bool>? more = null) =>
        new((int)size.Outputs, hidden, (output, unit) => Array.IndexOf(order, (long)(output % order.Length)) >= unit % order.Length
            || more?.Invoke(output, unit) == true);
}

public sealed class MaskedLinear : nn.Module<Tensor, Tensor>, IOnnxNetwork
{
    private readonly Parameter weight, bias;
    private readonly Tensor mask;

    public MaskedLinear(int outputs, int inputs, Func<int, int, bool> sees) : base(nameof(MaskedLinear))
    {
        using var scope = NewDisposeScope();
        (weight, bias) = (new Parameter(randn(outputs, inputs).mul(0.3)), new Parameter(randn(outputs).mul(0.1)));
        // no number, so that tests that draw statistics leave it
        mask = tensor(Enumerable.Range(0, outputs * inputs).Select(i => sees(i / inputs, i % inputs)).ToArray(), [outputs, inputs]);
        foreach (var kept in new[] { weight, bias, mask }) kept.DetachFromDisposeScope();
        RegisterComponents();
    }

    public Parameter Weight => weight;

    public Parameter Bias => bias;

    public override Tensor forward(Tensor input) => nn.functional.linear(input, weight.mul(mask), bias);

    public OnnxValue WriteOnnx(OnnxValue input, OnnxValue? context)
    {
        using var scope = NewDisposeScope();
        return input.Linear(weight.mul(mask), bias);
    }
}

public sealed class MaskedConditioner : Conditioner, IOnnxNetwork
{
    private readonly MaskedLinear first, last;
    private readonly Linear context;

    public MaskedConditioner(ConditionerSizes size, long[] order) : base(nameof(MaskedConditioner), size.ContextSize)
    {
        (first, last) = (MaskedNetworks.First(size, order, 9), MaskedNetworks.Last(size, order, 9));
        context = nn.Linear(size.ContextSize, 9);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input, Tensor? context) => last.call(first.call(input).add(this.context.call(context!)).tanh());

    public OnnxValue WriteOnnx(OnnxValue input, OnnxValue? context) =>
        OnnxNetworks.Write(last, (OnnxNetworks.Write(first, input) + OnnxNetworks.Write(this.context, context!)).Tanh());
}
