using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>True values and draws of some rows, in float64.</summary>
/// <param name="start">The first row.</param>
/// <param name="all">(R, 1 + L, ...), the true value first.</param>
/// <param name="flat">The same as (R, 1 + L, D).</param>
/// <param name="logProb">log p (R, 1 + L), or null.</param>
/// <param name="context">(R, ...), or null.</param>
/// <param name="dtype">What functions of a user's take points in.</param>
internal sealed class CalibrationPart(int start, Tensor all, Tensor flat, Tensor? logProb, Tensor? context, ScalarType dtype)
{
    /// <summary>The first row.</summary>
    public int Start => start;

    /// <summary>(R, 1 + L, D).</summary>
    public Tensor Flat => flat;

    /// <summary>log p (R, 1 + L), or null.</summary>
    public Tensor? LogProb => logProb;

    /// <summary>A quantity of a user's, (R, 1 + L).</summary>
    public Tensor Of(TestQuantity quantity, string owner)
    {
        var (rows, each) = (all.shape[0], all.shape[1]);
        var values = quantity.Values(all.flatten(0, 1).to(dtype), context?.repeat_interleave(each, 0));
        if (values is null || values.IsInvalid || values.dim() != 1 || values.shape[0] != rows * each)
            throw new ArgumentException(
                $"{owner} expects the quantity '{quantity.Name}' to give shape ({rows * each}), one number a point; got " +
                $"{(values is null || values.IsInvalid ? "none" : EventShape.Format(values.shape))}.", nameof(quantity));
        return values.detach().to(float64).reshape(rows, each);
    }
}
