using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Lengths of examples, and what counts as a unit vector.</summary>
internal static class UnitLength
{
    // data are often written with four or five digits, and half precision has three
    private const double Slack = 1e-4;
    private const double Roundings = 8;

    /// <summary>|x| of each row (N, 1), above 0; of a row of zeros its gradient is 0. In the caller's scope.</summary>
    /// <param name="rows">(N, D).</param>
    public static Tensor Of(Tensor rows) =>
        rows.pow(Scalars.Two).sum([1L], keepdim: true).clamp_min(Scalars.Of(finfo(rows.dtype).tiny)).sqrt();

    /// <summary>The rows with the lengths of others. In the caller's scope.</summary>
    /// <param name="rows">(N, D).</param>
    /// <param name="like">(N, D).</param>
    public static Tensor Restored(Tensor rows, Tensor like) => rows.mul(Of(like).div(Of(rows)));

    /// <summary>Which examples are not of length 1, (N) of dtype Bool. In the caller's scope.</summary>
    /// <param name="x">(N, ...).</param>
    public static Tensor IsOff(Tensor x)
    {
        var (least, most) = Bounds(x.dtype);
        // half precision would round the sum; and a length that is not a number is not 1
        var square = x.flatten(1).to(float64).pow(Scalars.Two).sum(1);
        return square.gt(Scalars.Of(least)).logical_and(square.lt(Scalars.Of(most))).logical_not();
    }

    /// <summary>Between which two numbers the square of a length of 1 is.</summary>
    public static (double Least, double Most) Bounds(ScalarType dtype)
    {
        var slack = Math.Max(Slack, Roundings * finfo(dtype).eps);
        return ((1 - slack) * (1 - slack), (1 + slack) * (1 + slack));
    }

    /// <summary>Throws if an example is not of length 1; the message names the rows.</summary>
    /// <exception cref="ArgumentException">It names the rows and the first length.</exception>
    public static void Require(Tensor x, string parameter, string owner)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var off = IsOff(x);
        if (!off.any().Fetch<bool>()) return;
        var first = x.index_select(0, off.to(int8).argmax(0, keepdim: true)).flatten().to(float64).norm().FetchDouble();
        throw new ArgumentException(
            $"{owner} expects unit vectors, since the flow lives on a sphere; " +
                $"{Check.Rows(off, verbs: ($"of {parameter} has", $"of {parameter} have"))} " +
            FormattableString.Invariant($"another length, the first {first:G6}. ") +
            $"Divide them by it: {parameter}.div({parameter}.norm(1, keepdim: true)).", parameter);
    }
}
