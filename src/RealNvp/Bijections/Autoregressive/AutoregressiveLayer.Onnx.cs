using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class AutoregressiveLayer : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        if (inverse) return OneByOne(input, context);
        var (value, logDerivative) = transformer.ToOnnx(input, OnnxNetworks.Write(Conditioner, input, context), inverse: false);
        return (value, logDerivative?.SumExamples());
    }

    // each pass of the network finds one feature more; what is not known yet is zero. The last pass has all log-derivatives
    private (OnnxValue, OnnxValue?) OneByOne(OnnxValue z, OnnxValue? context)
    {
        var features = positions.Length;
        using var scope = NewDisposeScope();
        // row i: the features that are known after pass i
        var known = tensor(Enumerable.Range(0, features).SelectMany(pass => positions.Select(p => p <= pass)).ToArray(), features,
            features);
        var (knownAfter, zero) = (z.Graph.Constant(known), z.Graph.Constant(0));
        OnnxValue[] start = [(z.Narrow(1, 0, 1) * 0).Expand([-1, features], z), z.Narrow(1, 0, 1) * 0];
        var hasLogDet = false;
        var last = z.Graph.Loop(features, start, (pass, carried) =>
        {
            var (x, logDerivative) = transformer.ToOnnx(z, OnnxNetworks.Write(Conditioner, carried[0], context), inverse: true);
            hasLogDet = logDerivative is not null;
            var row = z.Graph.Node("Gather", [knownAfter, pass], [features], ScalarType.Bool, ("axis", 0L));
            return ([row.Where(x, zero), logDerivative?.SumExamples() ?? carried[1]], null);
        });
        return (last[0], hasLogDet ? last[1] : null);
    }
}
