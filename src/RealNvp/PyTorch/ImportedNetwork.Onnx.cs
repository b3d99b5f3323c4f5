using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

internal sealed partial class ImportedNetwork : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? given)
    {
        using var scope = NewDisposeScope();
        var last = layers.Count - 1;
        var h = Layer(0, appends ? OnnxValue.Concat(1, input, given!) : input);
        if (context is not null)
        {
            var added = given!.Linear(context.weight!, context.bias);
            h += contextual == ImportedContext.Inside ? Activated(added) : added;
        }
        for (var i = 1; i < last; i += residual ? 2 : 1)
        {
            if (!residual) { h = Layer(i, Activated(i, h)); continue; }
            var gate = gates.Count > 0 ? given!.Linear(gates[(i - 1) / 2].weight!, gates[(i - 1) / 2].bias) : null;
            var inside = Layer(i, Activated(i, h));
            if (gate is not null && contextual == ImportedContext.Inside) inside += gate;
            var outside = Layer(i + 1, Activated(i + 1, inside));
            h += gate is not null && contextual == ImportedContext.Gate ? outside * gate.Sigmoid() : outside;
        }
        return Layer(last, residual ? h : Activated(last, h));
    }

    private OnnxValue Layer(int i, OnnxValue x) =>
        x.Linear(masks[i] is { } mask ? layers[i].weight!.detach().mul(mask.Value) : layers[i].weight!, layers[i].bias);

    private OnnxValue Activated(int layer, OnnxValue x) =>
        Activated(normOf[layer] < 0 ? x : OnnxNetworks.Write(norms[normOf[layer]], x));

    private OnnxValue Activated(OnnxValue x) => activation switch
    {
        PyTorchActivation.Relu => x.Relu(),
        PyTorchActivation.Tanh => x.Tanh(),
        PyTorchActivation.Elu => x.Greater(0).Where(x, x.AtMost(0).ExpM1()),
        PyTorchActivation.LeakyRelu => x.GreaterOrEqual(0).Where(x, x * 0.01),
        PyTorchActivation.Silu => x * x.Sigmoid(),
        PyTorchActivation.Softplus => x.Softplus(),
        PyTorchActivation.Sigmoid => x.Sigmoid(),
        _ => throw new OnnxExportException("has GELU, which is not written as a graph of ONNX.", this),
    };
}
