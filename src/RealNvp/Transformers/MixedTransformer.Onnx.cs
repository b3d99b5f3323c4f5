using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class MixedTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var all = OnnxParameters.Split(parameters, ParametersPerElement);
        var (values, logDerivatives) = (new OnnxValue[groups.Count], new OnnxValue?[groups.Count]);
        for (var i = 0; i < groups.Count; i++)
        {
            long[] features = [.. Enumerable.Range(0, ofFeature.Length).Where(f => ReferenceEquals(ofFeature[f], parts[i]))
                .Select(f => (long)f)];
            var own = all.Narrow(1, 0, parts[i].ParametersPerElement).Gather(2, features);
            own = own.Reshape([own.Shape[0], own.Shape[1] * own.Shape[2], .. own.Shape.Skip(3)]);
            (values[i], logDerivatives[i]) = parts[i].ToOnnx(input.Gather(1, features), own, inverse);
        }
        var value = OnnxValue.Moved(values, groups.Joined)[0];
        if (Array.TrueForAll(logDerivatives, l => l is null)) return (value, null);
        return (value, OnnxValue.Moved([.. logDerivatives.Select((l, i) => l ?? values[i] * 0)], groups.Joined)[0]);
    }
}
