using RealNvp.Layers;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Takes a few examples x to z and back, and finds out which layer loses the digits, if one does.</summary>
/// <remarks>
/// Errors are relative to the largest magnitude of each element over the examples. Where values are rounded on the way back, as behind a
/// dequantization, the error is that of the continuous values before they are rounded.
/// </remarks>
/// <param name="Error">The largest error of x → z → x; infinite if the
/// inverse fails or gives NaN, NaN if the examples have no latents.</param>
/// <param name="Warning">What to tell the user; null if all is well.</param>
internal sealed record RoundTrip(double Error, string? Warning)
{
    /// <summary>The number of examples that tell enough.</summary>
    public const int Rows = 32;

    // float32 holds seven digits, and a trained flow of many layers keeps four or more of them; here not even two are left
    private const double Allowed = 1e-2;

    private const string Start = "The flow is not invertible as it stands: ";

    /// <summary>Whether a sentence is the <see cref="Warning"/> of some round trip.</summary>
    public static bool IsWarning(string sentence) => sentence.StartsWith(Start, StringComparison.Ordinal);

    /// <summary>Measures a flow in evaluation mode, without gradients.</summary>
    public static RoundTrip Measure(Flow flow, Tensor x, Tensor? context, long seed)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var mode = EvaluationGate.Evaluate(flow);
        var names = Diagnosis.LayerNames(flow);
        List<LayerRun> there;
        Tensor z;
        try { (there, z) = Watch(scope, () => flow.Encode(x, context, seed)); }
        // rows outside of the domain have no latents, and whoever scores or trains on them hears so anyway
        catch (Exception e) when (e is ArgumentException or NonFiniteException) { return new RoundTrip(double.NaN, null); }
        try
        {
            var back = Watch(scope, () => flow.Decode(z, context)).Calls;
            var error = Whole(there, back);
            if (error <= Allowed) return new RoundTrip(error, null);
            var own = there.Select(call => (call.Layer, Error: Own(call))).ToArray();
            var worst = own.MaxBy(layer => layer.Error);
            var fault = worst.Error > Allowed
                ? $"{names(worst.Layer)} loses the digits: its own inverse is off by {Format(worst.Error)}"
                : $"no layer alone loses the digits, but all together do, {names(worst.Layer)} most, whose own inverse is off by " +
                    $"{Format(worst.Error)}";
            return new RoundTrip(error,
                $"{Start}x → z → x of {x.shape[0]} examples comes back with a relative error of {Format(error)}. {fault}. Samples and " +
                $"decoded latents are wrong by as much. "
                + "If the layer is your own, prove it with FlowCheck; else use smaller weights (learning rate, bounds of splines), " +
                    "standardized data, or float64.");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // a layer of the user's may have no inverse: that is no reason to end a training, which needs none
            return new RoundTrip(double.PositiveInfinity,
                $"{Start}x → z → x of {x.shape[0]} examples fails with {e.GetType().Name}: {e.Message}");
        }
    }

    // NaN is the worst of all
    private static double Whole(List<LayerRun> there, List<LayerRun> back)
    {
        var random = there.FindLastIndex(call => call.Layer.Dequantizes);
        // a layer that rounds gives back what it was given or a whole number beside it, so it is tried alone
        var error = there.Where(call => call.Layer.Dequantizes).Select(Own).DefaultIfEmpty(0).Max();
        if (random + 1 >= there.Count) return error;
        var first = there[random + 1];
        var last = back.FindLast(call => ReferenceEquals(call.Layer, first.Layer));
        return last.Layer is null ? error : Math.Max(error, Difference(first.Input, last.Value));
    }

    // the error of a layer's inverse, of what the layer itself gave
    private static double Own(LayerRun call)
    {
        using var scope = NewDisposeScope();
        return Difference(call.Input, call.Layer.Run(call.Value, Pass.Here(call.Context), !call.Inverse).Value);
    }

    private static double Difference(Tensor expected, Tensor got)
    {
        if (!expected.shape.AsSpan().SequenceEqual(got.shape)) return double.PositiveInfinity;
        if (expected.numel() == 0) return 0;
        using var scope = NewDisposeScope();
        var (a, b) = (expected.to(ScalarType.Float64), got.to(ScalarType.Float64));
        var magnitude = a.abs().amax([0L]);
        var all = magnitude.max();
        // elements that are always 0 are measured by the others
        magnitude = where(magnitude.gt(Scalars.Zero), magnitude, where(all.gt(Scalars.Zero), all, ones_like(all)));
        var error = a.sub(b).abs().amax([0L]).div(magnitude).max().FetchDouble();
        return double.IsNaN(error) ? double.PositiveInfinity : error;
    }

    // the runs of the layers that are made of no other layer, in their order, with tensors that live in the caller's scope
    private static (List<LayerRun> Calls, Tensor Result) Watch(DisposeScope scope, Func<Tensor> run)
    {
        var calls = new List<LayerRun>();
        Tensor Keep(Tensor tensor)
        {
            var kept = tensor.alias();
            scope.Attach(kept);
            return kept;
        }
        Tensor result;
        using (PassState.Observe(call => calls.Add(call with { Input = Keep(call.Input), Context = call.Context is null ? null
            : Keep(call.Context), Value = Keep(call.Value), LogDet = null })))
            result = run();
        var seen = calls.Select(call => call.Layer).ToHashSet<nn.Module>(ReferenceEqualityComparer.Instance);
        return (calls.Where(call => !call.Layer.modules().Any(m => !ReferenceEquals(m, call.Layer) && seen.Contains(m))).ToList(), result);
    }

    private static string Format(double error) => double.IsPositiveInfinity(error) ? "infinity"
        : error.ToString("0.#e+0", CultureInfo.InvariantCulture);
}
