using System.Diagnostics.CodeAnalysis;
using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>
/// Few rows, as services ask them: one pass over the weights as they lie, without a tensor but for the result. Each method here gives
/// null, or false, if it has no answer: then the caller goes on with tensors, which also say what is wrong with a call.
/// </content>
public partial class Flow
{
    private FlowRows? rowPlan;

    // what takes no look at the flow, which another thread may dispose until this one has entered the gate
    private bool AreFew([NotNullWhen(true)] Tensor? x) => x is { IsInvalid: false } && InputShape.Count == 1
        && KernelMemory.AreRows(x.Handle, InputShape[0], FlowRows.Most);

    // in the gate: the plan for the weights as they are now; null if there is none, or if somebody looks at the layers of this call
    private FlowRows? FewRows(FewOf what)
    {
        if (!KernelSwitches.Rows || !KernelSwitches.Coupling || !KernelSwitches.Dense || LaneWidth.Bits < 128
            || !PassState.IsQuiet || KnownWeight is not { } weight)
            return null;
        var type = KernelMemory.TypeOf(weight.Handle);
        if (rowPlan is not { } plan || plan.Type != type)
        {
            if (type is not (ScalarType.Float32 or ScalarType.Float64)) return null;
            plan = FlowRows.Of(this, type);
            rowPlan = plan;
        }
        return plan.IsKnown && (what != FewOf.LogProb || plan.HasDensity) ? plan : null;
    }

    // whether a call has nothing that takes a look between its rows
    private static bool IsPlain(int? batchSize, IProgress<long>? progress, CancellationToken token) =>
        batchSize is null or >= FlowRows.Most && progress is null && !token.IsCancellationRequested;

    /// <summary>What is asked of few rows.</summary>
    internal enum FewOf { LogProb, Latents, Examples }

    internal unsafe Tensor? Few(FewOf what, Tensor? x, Tensor? context, ScalarType? dtype = null)
    {
        if (!AreFew(x) || dtype is not (null or ScalarType.Float32 or ScalarType.Float64)) return null;
        var begun = FlowMetrics.Begin();
        using var gate = EvaluationGate.Read(this);
        if (FewRows(what) is not { } few) return null;
        var type = dtype ?? few.Type;
        if (!few.TryRead(x, context, what == FewOf.Examples ? type == ScalarType.Float64 : null, out var call)) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        var result = what == FewOf.LogProb ? empty([call.Rows], type, CPU) : empty([call.Rows, few.Features], type, CPU);
        var done = TryRun(few, what, call with { Weights = places }, Memory(result, type), out var allFinite);
        // their memory has been read
        GC.KeepAlive(x);
        GC.KeepAlive(context);
        if (done)
        {
            FlowMetrics.End(begun, Operation(what), this, call.Rows, begun == 0 || allFinite ? 0 : FlowMetrics.OutsideSupport(result));
            return result;
        }
        result.Dispose();
        return null;
    }

    /// <summary>Draws few examples, in the order of the random numbers that the other way has. If the latents have no finite examples,
    /// the result is null and they are in <paramref name="latents"/>: the other way goes on with them.</summary>
    private unsafe Tensor? FewSamples(long count, double temperature, long? seed, ScalarType? dtype, out Tensor? latents)
    {
        latents = null;
        if (count is < 1 or > FlowRows.Most || InputShape.Count != 1 || !(temperature >= 0 && double.IsFinite(temperature))
            || RowShare.Current is not null) return null;
        var begun = FlowMetrics.Begin();
        using var gate = EvaluationGate.Read(this);
        if (FewRows(FewOf.Examples) is not { DrawsAlone: true } few || dtype is { } wanted && wanted != few.Type) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        using var random = PassState.Seed(seed);
        var generator = PassState.Current?.Generator;
        var type = few.Type;
        if (base_density is IDrawsRows drawing && count * few.Features <= MostOnStack)
        {
            var numbers = stackalloc double[(int)count * few.Features];
            if (drawing.TryDraw((int)count, temperature, generator, numbers))
            {
                if (few.TryCall((int)count, numbers, default, type == ScalarType.Float64, out var drawn)
                    && Mapped(few, drawn with { Weights = places }, type) is { } made)
                {
                    FlowMetrics.End(begun, "sample", this, count);
                    return made;
                }
                latents = Latents(numbers, count, type);
                return null;
            }
        }
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var z = base_density.Sample(count, temperature, type, CPU, generator);
        if (few.TryRead(z, null, type == ScalarType.Float64, out var call)
            && Mapped(few, call with { Weights = places }, type) is { } result)
        {
            FlowMetrics.End(begun, "sample", this, count);
            return scope.MoveToOuter(result);
        }
        latents = scope.MoveToOuter(z);
        return null;
    }

    // examples; null if they are not finite
    private static Tensor? Mapped(FlowRows few, in RowCall call, ScalarType type)
    {
        var result = empty([call.Rows, few.Features], type, CPU);
        if (few.Map(call, inverse: true, Memory(result, type))) return result;
        result.Dispose();
        return null;
    }

    private unsafe Tensor Latents(double* numbers, long count, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var size = count * InputShape[0];
        return scope.MoveToOuter(tensor(new ReadOnlySpan<double>(numbers, (int)size).ToArray(), [count, InputShape[0]]).to(type));
    }

    // data of latents that have been drawn, with features of contexts; the call has entered the gate
    private unsafe (Tensor X, Tensor LogDet)? FewSamples(Tensor z, Tensor? features)
    {
        if (FewRows(FewOf.Examples) is not { } few) return null;
        var type = PassState.Current?.DataDtype ?? few.Type;
        if (!few.TryRead(z, features, type == ScalarType.Float64, out var call)) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        Tensor result = empty([call.Rows, few.Features], type, CPU), logDet = empty([call.Rows], few.Type, CPU);
        return few.Map(call with { Weights = places, IsEncoded = true }, inverse: true, Memory(result, type), Memory(logDet, few.Type))
            ? (result, logDet) : null;
    }

    private bool TryRun(FlowRows few, FewOf what, in RowCall call, RowMemory result, out bool allFinite)
    {
        allFinite = true;
        if (what != FewOf.LogProb) return few.Map(call, inverse: what == FewOf.Examples, result);
        var done = few.LogProb(call, result, out allFinite);
        // minus infinity is a result, unless a weight is to blame
        if (done && !allFinite) ThrowIfWeightsAreNotFinite($"{GetName()}.{nameof(LogProb)}");
        return done;
    }

    private static string Operation(FewOf what) => what switch { FewOf.LogProb => "log_prob", FewOf.Latents => "encode", _ => "decode" };

    private static unsafe RowMemory Memory(Tensor tensor, ScalarType type) =>
        new(KernelMemory.Pointer<byte>(tensor), type == ScalarType.Float64);
}
