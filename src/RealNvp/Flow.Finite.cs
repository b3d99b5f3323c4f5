using System.Runtime.InteropServices;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>Lets minus infinity pass, unless a weight is to blame; NaN and plus infinity are faults with a name.</summary>
    /// <param name="logProb">(N), not all finite.</param>
    /// <param name="start">The number of the first row.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="again">Computes rows of these numbers again.</param>
    private void CheckLogDensities(Tensor logProb, long start, string owner, Action<Tensor> again)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var bad = logProb.isnan().logical_or(logProb.isposinf());
        if (bad.any().Fetch<bool>()) throw Fault(bad, logProb.dtype, start, owner, again);
        ThrowIfWeightsAreNotFinite(owner);
    }

    /// <summary>The error for values (N, ...) that are not all finite.</summary>
    private NonFiniteException NotFinite(Tensor values, long start, string owner, Action<Tensor> again)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        return Fault(values.isfinite().logical_not().flatten(1).any(1), values.dtype, start, owner, again);
    }

    /// <summary>Throws if log-determinants (N) of Forward are minus infinity: such rows have no latents.</summary>
    private void CheckInside(Tensor logDet, long start, string owner)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var outside = logDet.isneginf();
        if (!outside.any().Fetch<bool>()) return;
        ThrowIfWeightsAreNotFinite(owner);
        throw new ArgumentException(
            $"{owner}: {Check.Rows(outside, start, ("lies", "lie"))} outside of the domain of the flow, where there are no latents; " +
            $"LogProb gives minus infinity. Leave such rows out.");
    }

    // the rows at fault are computed again, watched
    private NonFiniteException Fault(Tensor bad, ScalarType dtype, long start, string owner, Action<Tensor> again)
    {
        ThrowIfWeightsAreNotFinite(owner);
        var rows = Check.Rows(bad, start);
        var fault = Diagnosis.FirstLayer(this, () => again(bad.nonzero().flatten()));
        var layer = fault?.Layer ?? nameof(base_density);
        var what = fault is { } f ? $"the first layer at fault is {f.Layer}, whose {f.What} is NaN or infinite"
            : $"the log-probability of the latents ({base_density.GetName()}) is NaN or infinite";
        return new NonFiniteException(
            $"{owner} met numbers that {dtype} cannot hold, in {rows}: {what}. Look for extreme values in the data or for weights that " +
            $"grew without limit, or compute in float64: model.to(torch.float64).", layer)
            { Rows = bad.sum().FetchInt64() };
    }

    /// <summary>Runs the bijection in one direction; if a layer in it has no
    /// inverse, the error names the layer. Nothing else here runs it. A log-determinant that
    /// is not wanted is the sum of those that cost nothing.</summary>
    private (Tensor Value, Tensor LogDet) Applied(string owner, Tensor input, Tensor? context, bool inverse = false,
        bool wantsLogDet = true)
    {
        using var wanted = PassState.WantLogDets(wantsLogDet);
        try { return bijection.Run(input, context, inverse); }
        catch (NoInverseException e) { throw NoInverse(owner, e); }
        catch (OdeException e) { throw Unsolved(owner, e); }
        catch (Exception e) when (e is InvalidOperationException or ExternalException && !IsAlive) { throw PartIsGone(e); }
    }

    /// <summary>The error for a layer that has no inverse.</summary>
    internal NonFiniteException NoInverse(string owner, NoInverseException error)
    {
        ThrowIfWeightsAreNotFinite(owner);
        var layer = error.Layer is { } found ? Diagnosis.LayerNames(this)(found) : nameof(bijection);
        return new NonFiniteException(
            $"{owner}: the inverse of {layer} has no result. {(error.MetNotFinite ? NotItsFault : error.Message)} Look for extreme " +
            $"values or for weights that grew without limit, or compute in float64: model.to(torch.float64).", layer, error);
    }

    /// <summary>The error for a layer whose equation is not solved.</summary>
    internal OdeException Unsolved(string where, OdeException error, string advice = "")
    {
        ThrowIfWeightsAreNotFinite(where);
        if (error.MetNotFinite) advice = advice.Length > 0 ? $"{NotItsFault} {advice}" : NotItsFault;
        return error.Of(where, error.Layer ?? (error.Origin is { } found ? Diagnosis.LayerNames(this)(found) : nameof(bijection)), advice);
    }

    // of a layer that solves or searches
    private const string NotItsFault = "What came to it was NaN or infinite already, so look at the layers before it.";

    private void ThrowIfWeightsAreNotFinite(string owner)
    {
        if (Diagnosis.FirstParameter(this, gradients: false) is { } weight)
            throw new NonFiniteException($"{owner} cannot give a result: the weight {weight} is not finite. Load or train the model again.",
                weight);
    }
}
