using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Few rows in arrays: no tensor at all, and no memory but for a result that is an array.</content>
public partial class Flow
{
    // numbers of a result that lie on the stack until it is known that they are finite: a destination stays as it is if there is an error
    private const int MostOnStack = 4096;

    private unsafe bool FewInto(FewOf what, in DataRows x, in DataRows context, Span<double> wide, Span<float> narrow, out int rows)
    {
        if (!AreFew(x, out rows, out var numbers, out var isDouble)) return false;
        var begun = FlowMetrics.Begin();
        using var gate = EvaluationGate.Read(this);
        if (FewRows(what) is not { } few || context.IsNull != (few.Context == 0)) return false;
        ReadOnlySpan<byte> given = default;
        var givenDouble = false;
        if (!context.IsNull && (!context.TryGet(few.Context, rows, out var contexts, out given, out givenDouble) || contexts != rows))
            return false;
        var count = rows * (what == FewOf.LogProb ? 1 : few.Features);
        if (count > MostOnStack || count > Math.Max(wide.Length, narrow.Length)) return false;
        var places = stackalloc nint[few.Places];
        if (!few.TryPlace(places)) return false;
        var results = stackalloc double[count];
        fixed (byte* from = numbers, contextFrom = given)
        {
            if (!few.TryCall(rows, new(from, isDouble), new(contextFrom, givenDouble), what == FewOf.Examples ? !wide.IsEmpty : isDouble,
                out var call) || !TryRun(few, what, call with { Weights = places }, results, out _))
                return false;
        }
        if (wide.IsEmpty)
            for (var i = 0; i < count; i++) narrow[i] = (float)results[i];
        else new ReadOnlySpan<double>(results, count).CopyTo(wide);
        if (begun == 0) return true;
        var outside = 0;
        for (var i = 0; i < count; i++) outside += double.IsFinite(results[i]) ? 0 : 1;
        FlowMetrics.End(begun, Operation(what), this, rows, outside);
        return true;
    }

    // a whole array of results; null if it is for the tensors to say what is wrong
    private double[]? FewLogProb(in DataRows x, in DataRows context)
    {
        if (!AreFew(x, out var rows, out _, out _)) return null;
        var result = new double[rows];
        return FewInto(FewOf.LogProb, x, context, result, default, out _) ? result : null;
    }

    private double[,]? FewArray(FewOf what, in DataRows x, in DataRows context)
    {
        if (!AreFew(x, out var rows, out _, out _)) return null;
        var result = new double[rows, InputShape.NumElements];
        var all = System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref result[0, 0], result.Length);
        return FewInto(what, x, context, all, default, out _) ? result : null;
    }

    private bool AreFew(in DataRows x, out int rows, out ReadOnlySpan<byte> numbers, out bool isDouble)
    {
        (rows, isDouble) = (0, false);
        numbers = default;
        return InputShape.Count == 1 && InputShape[0] is > 0 and <= int.MaxValue
            && x.TryGet((int)InputShape[0], FlowRows.Most, out rows, out numbers, out isDouble);
    }
}
