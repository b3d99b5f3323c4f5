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
    private FlowRows? FewRows()
    {
        if (!KernelSwitches.Rows || !KernelSwitches.Coupling || !KernelSwitches.Dense || LaneWidth.Bits < 128 || disposed
            || !PassState.IsQuiet || KnownWeight is not { } weight)
            return null;
        var type = KernelMemory.TypeOf(weight.Handle);
        if (rowPlan is not { } plan || plan.Type != type)
        {
            if (type is not (ScalarType.Float32 or ScalarType.Float64)) return null;
            plan = FlowRows.Of(this, type);
            rowPlan = plan;
        }
        return plan.IsKnown ? plan : null;
    }

    // whether a call has nothing that takes a look between its rows
    private static bool IsPlain(int? batchSize, IProgress<long>? progress, CancellationToken token) =>
        batchSize is null or >= FlowRows.Most && progress is null && !token.IsCancellationRequested;

    internal unsafe Tensor? FewLogProb(Tensor? x, Tensor? context)
    {
        if (!AreFew(x)) return null;
        var begun = FlowMetrics.Begin();
        using var gate = EvaluationGate.Read(this);
        if (FewRows() is not { HasDensity: true } few || !few.TryRead(x, context, null, out var call)) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        var result = empty([call.Rows], few.Type, CPU);
        var done = few.LogProb(call with { Weights = places }, Memory(result, few.Type), out var allFinite);
        // minus infinity is a result, unless a weight is to blame
        if (done && !allFinite) ThrowIfWeightsAreNotFinite($"{GetName()}.{nameof(LogProb)}");
        return Given(done, result, x, context, "log_prob", begun, call.Rows, allFinite);
    }

    private unsafe Tensor? FewLatents(Tensor? x, Tensor? context)
    {
        if (!AreFew(x)) return null;
        var begun = FlowMetrics.Begin();
        using var gate = EvaluationGate.Read(this);
        if (FewRows() is not { } few || !few.TryRead(x, context, null, out var call)) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        var result = empty([call.Rows, few.Features], few.Type, CPU);
        var done = few.Map(call with { Weights = places }, inverse: false, Memory(result, few.Type));
        return Given(done, result, x, context, "encode", begun, call.Rows);
    }

    private unsafe Tensor? FewExamples(Tensor? z, Tensor? context, ScalarType? dtype)
    {
        if (!AreFew(z) || dtype is not (null or ScalarType.Float32 or ScalarType.Float64)) return null;
        var begun = FlowMetrics.Begin();
        using var gate = EvaluationGate.Read(this);
        if (FewRows() is not { } few || !few.TryRead(z, context, (dtype ?? few.Type) == ScalarType.Float64, out var call)) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        var type = dtype ?? few.Type;
        var result = empty([call.Rows, few.Features], type, CPU);
        var done = few.Map(call with { Weights = places }, inverse: true, Memory(result, type));
        return Given(done, result, z, context, "decode", begun, call.Rows);
    }

    // data of latents that have been drawn, with features of contexts; the call has entered the gate
    private unsafe (Tensor X, Tensor LogDet)? FewSamples(Tensor z, Tensor? features)
    {
        if (FewRows() is not { } few) return null;
        var type = PassState.Current?.DataDtype ?? few.Type;
        if (!few.TryRead(z, features, type == ScalarType.Float64, out var call)) return null;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return null;
        Tensor result = empty([call.Rows, few.Features], type, CPU), logDet = empty([call.Rows], few.Type, CPU);
        return few.Map(call with { Weights = places, IsEncoded = true }, inverse: true, Memory(result, type), Memory(logDet, few.Type))
            ? (result, logDet) : null;
    }

    private Tensor? Given(bool done, Tensor result, Tensor x, Tensor? context, string operation, long begun, int rows,
        bool allFinite = true)
    {
        // their memory has been read
        GC.KeepAlive(x);
        GC.KeepAlive(context);
        if (done)
        {
            FlowMetrics.End(begun, operation, this, rows, begun == 0 || allFinite ? 0 : FlowMetrics.OutsideSupport(result));
            return result;
        }
        result.Dispose();
        return null;
    }

    private static unsafe RowMemory Memory(Tensor tensor, ScalarType type) =>
        type == ScalarType.Float64 ? KernelMemory.Pointer<double>(tensor) : (RowMemory)KernelMemory.Pointer<float>(tensor);
}
