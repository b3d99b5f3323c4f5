using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class CircularInput : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context)
    {
        if (CircularInputs.Count == 0) return OnnxNetworks.Write(network, input, context);
        long[] on = [.. CircularInputs.Select(c => (long)c.Feature)];
        long[] off = [.. Enumerable.Range(0, (int)input.Shape[1]).Select(i => (long)i).Except(on)];
        var (edge, period) = (CircularInputs[0].Low, CircularInputs[0].Period);
        var turn = (input.Gather(1, on) - edge) * (2 * Math.PI / period);
        OnnxValue[] parts = [.. off.Length == 0 ? (OnnxValue[])[] : [input.Gather(1, off)], turn.Cos(), turn.Sin()];
        return OnnxNetworks.Write(network, OnnxValue.Concat(1, parts), context);
    }
}
