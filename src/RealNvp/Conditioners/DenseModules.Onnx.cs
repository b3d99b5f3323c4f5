using RealNvp.Onnx;

namespace RealNvp;

internal sealed partial class DenseModules
{
    /// <summary>The network as a graph of ONNX, in evaluation mode and in the dtype of the graph.</summary>
    public OnnxValue WriteOnnx(OnnxValue input, OnnxValue? given)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var results = new List<OnnxValue>();
        for (var i = 0; i < layers.Length; i++)
        {
            var entering = i == 0 ? input.Limited(Limit) : Program.IsActivated(i) ? results[i - 1].Relu() : results[i - 1];
            var weight = masks.Length == 0 ? layers[i].weight! : layers[i].weight!.detach().mul(masks[i].Value);
            var result = entering.Linear(weight, layers[i].bias);
            if (i == 0 && context is not null && given is not null) result += given.Limited(Limit).Linear(context.weight!);
            if (Program.Layers[i].AddsSkip) result += results[i - 2];
            results.Add(result);
        }
        return results[^1];
    }
}
