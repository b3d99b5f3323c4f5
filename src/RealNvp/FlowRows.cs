using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A flow of vectors as a plan for few rows, over the weights as they lie.</summary>
/// <remarks>
/// It is made once, by a fold over what the flow is composed of, and knows neither weights nor where they are: each call asks
/// (<see cref="RowTensors"/>). What it does not know it leaves to the tensors: the caller computes as if there were no plan.
/// </remarks>
internal sealed unsafe class FlowRows
{
    /// <summary>The most rows of a call.</summary>
    public const int Most = 16;

    // the numbers of a row, which lie on the stack when they are brought into another order
    private const int MostFeatures = 4096;

    private readonly RowTensors tensors;
    private readonly RowPlan? plan;

    private FlowRows(ScalarType type, RowTensors tensors, RowPlan? plan) => (Type, this.tensors, this.plan) = (type, tensors, plan);

    /// <summary>The dtype of the weights that it is for.</summary>
    public ScalarType Type { get; }

    /// <summary>Whether there is a plan.</summary>
    public bool IsKnown => plan is not null;

    /// <summary>Whether it knows the density too.</summary>
    public bool HasDensity => plan!.HasDensity;

    /// <summary>Whether the density draws latents by itself: no module of it, or of a user's, has a mode that matters.</summary>
    public bool DrawsAlone { get; private init; }

    /// <summary>How many places of weights a call needs.</summary>
    public int Places => tensors.Count;

    public int Features => plan!.Features;

    public int Context => plan!.Context;

    /// <summary>Folds over a flow.</summary>
    public static FlowRows Of(Flow flow, ScalarType type)
    {
        var builder = new RowBuilder(type);
        var plan = Plan(flow, builder);
        return new(type, builder.Tensors, builder.Tensors.Count <= RowTensors.Most ? plan : null)
        {
            DrawsAlone = flow.ContextSize == 0 && flow.BaseDensity is IRowDensity && !flow.BaseDensity.children().Any(),
        };
    }

    private static RowPlan? Plan(Flow flow, RowBuilder builder)
    {
        if (flow.InputShape.Count != 1 || flow.LatentShape != flow.InputShape || flow.InputShape[0] is < 1 or > MostFeatures
            || flow.BaseDensity.IsOnSphere || flow.IsStochastic)
            return null;
        var features = (int)flow.InputShape[0];
        RowStep? encoder = null;
        if (flow.ContextEncoder is { } given)
        {
            if (given is not IRowEncoder known) return null;
            encoder = known.Rows(builder);
        }
        int[] all = [.. Enumerable.Range(0, features)];
        if (builder.Through(flow.Bijection, all, inverse: false, head: true) is not { } order) return null;
        var density = (flow.BaseDensity as IRowDensity)?.Rows(builder);
        builder.Tensors.Require(() => !flow.BaseDensity.IsDisposed);
        return new(features, (int)flow.ContextSize, encoder, [.. builder.Steps], density)
        {
            Converting = builder.Converting, Order = order.AsSpan().SequenceEqual(all) ? null : order,
        };
    }

    /// <summary>Whether a call may be computed by the plan: few rows of finite numbers, and no gradients that anybody wants.</summary>
    /// <param name="x">The rows.</param>
    /// <param name="context">Their contexts, or null.</param>
    /// <param name="wide">Whether data are, or are to be, of float64 to the layer that converts them; null for those of x.</param>
    /// <param name="call">The call, without places of weights.</param>
    public bool TryRead(Tensor x, Tensor? context, bool? wide, out RowCall call)
    {
        call = default;
        if (!TryRead(x, Features, Most, out var rows, out var memory)) return false;
        RowMemory given = default;
        if (context is null != (Context == 0)) return false;
        if (context is not null && (context.IsInvalid || !TryRead(context, Context, rows, out var contexts, out given) || contexts != rows))
            return false;
        return TryCall(rows, memory, given, wide ?? memory.IsDouble, out call);
    }

    /// <summary>As for tensors, of numbers that are where they are said to be; false if one of them is not finite.</summary>
    public bool TryCall(int rows, RowMemory x, RowMemory context, bool wide, out RowCall call)
    {
        call = new() { Rows = rows, X = x, Context = context, Double = Type == ScalarType.Float64, Wide = wide && plan!.Converting > 0 };
        return x.AreFinite((long)rows * Features) && context.AreFinite((long)rows * Context);
    }

    private static bool TryRead(Tensor tensor, int columns, int most, out int rows, out RowMemory memory)
    {
        memory = default;
        var handle = tensor.Handle;
        if (!KernelMemory.TryGetRows(handle, columns, most, out rows, out var type, out var at)) return false;
        memory = new(at, type == ScalarType.Float64);
        return !KernelMemory.WantsGradient(handle);
    }

    /// <summary>Writes where all weights are now; false if the plan cannot read one.</summary>
    /// <param name="places">Gets as many as <see cref="Places"/>.</param>
    public bool TryPlace(nint* places) => tensors.TryPlace(places);

    /// <summary>Log-densities; false if one is NaN or plus infinity, which is for the tensors to explain.</summary>
    public bool LogProb(in RowCall call, RowMemory logProb, out bool allFinite)
    {
        plan!.LogProb(call, logProb);
        allFinite = logProb.AreFinite(call.Rows);
        return allFinite || !logProb.HasFault(call.Rows);
    }

    /// <summary>Latents or examples; false if a number or a log-determinant is not finite.</summary>
    public bool Map(in RowCall call, bool inverse, RowMemory value, RowMemory logDet = default)
    {
        var sums = stackalloc double[Most];
        if (logDet.IsNull) logDet = sums;
        plan!.Map(call, inverse, value, logDet);
        return value.AreFinite((long)call.Rows * Features) && logDet.AreFinite(call.Rows);
    }
}
