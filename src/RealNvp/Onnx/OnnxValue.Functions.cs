using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <content>Functions of each element.</content>
public sealed partial class OnnxValue
{
    private const double MaxLogScale = Kernels.AffineForm.MaxLogScale;

    /// <summary>eˣ.</summary>
    public OnnxValue Exp() => Apply("Exp");

    /// <summary>The natural logarithm.</summary>
    public OnnxValue Log() => Apply("Log");

    /// <summary>log(1 + x), exact for small x too.</summary>
    public OnnxValue Log1P()
    {
        // Kahan: what rounding does to 1 + x, it does to the quotient too
        var above = this + 1;
        var same = above.Same(1);
        return same.Where(this, above.Log() * (this / same.Where(above, above - 1)));
    }

    /// <summary>√x.</summary>
    public OnnxValue Sqrt() => Apply("Sqrt");

    /// <summary>|x|.</summary>
    public OnnxValue Abs() => Apply("Abs");

    /// <summary>−1, 0 or 1.</summary>
    public OnnxValue Sign() => Apply("Sign");

    /// <summary>The largest whole number that is not above x.</summary>
    public OnnxValue Floor() => Apply("Floor");

    /// <summary>tanh x.</summary>
    public OnnxValue Tanh() => Apply("Tanh");

    /// <summary>sin x.</summary>
    public OnnxValue Sin() => Apply("Sin");

    /// <summary>cos x.</summary>
    // runtimes lack it in float64
    public OnnxValue Cos() => Type == ScalarType.Float64 ? (this + (Math.PI / 2)).Sin() : Apply("Cos");

    /// <summary>1/(1 + e⁻ˣ).</summary>
    public OnnxValue Sigmoid() => Apply("Sigmoid");

    /// <summary>max(x, 0).</summary>
    public OnnxValue Relu() => Apply("Relu");

    /// <summary>log(1 + eˣ), finite for all x.</summary>
    public OnnxValue Softplus() => AtLeast(0) + (-Abs()).Exp().Log1P();

    /// <summary>log(1/(1 + e⁻ˣ)), finite for all x.</summary>
    public OnnxValue LogSigmoid() => -(-this).Softplus();

    /// <summary>eˣ − 1, exact for small x too.</summary>
    public OnnxValue ExpM1() => (this * 0.5).Tanh() * (Exp() + 1);

    /// <summary>x − period·⌊x/period⌋, in [0, period], without rounding of the quotient.</summary>
    /// <param name="period">Above 0.</param>
    public OnnxValue Remainder(double period)
    {
        var rest = Graph.Node("Mod", [this, Number(this, period)], shape, Type, ("fmod", 1L));
        return rest.Less(0).Where(rest + period, rest);
    }

    /// <summary>x on the circle [low, high), by whole turns.</summary>
    /// <param name="low">The lower edge.</param>
    /// <param name="high">The upper edge.</param>
    public OnnxValue Wrapped(double low, double high) =>
        GreaterOrEqual(low).And(Less(high)).Where(this, ((this - low).Remainder(high - low) + low).Clip(low, high));

    /// <summary>x, at least and at most two numbers.</summary>
    public OnnxValue Clip(double least, double most) =>
        Graph.Node("Clip", [this, Number(this, least), Number(this, most)], shape, Type);

    /// <summary>x, and not below a number.</summary>
    public OnnxValue AtLeast(double least) => Meet("Max", this, Number(this, least));

    /// <summary>x, and not above a number.</summary>
    public OnnxValue AtMost(double most) => Meet("Min", this, Number(this, most));

    /// <summary>The larger of two.</summary>
    public OnnxValue Max(OnnxValue other) => Meet("Max", this, other);

    /// <summary>The smaller of two.</summary>
    public OnnxValue Min(OnnxValue other) => Meet("Min", this, other);

    /// <summary>Whether x &gt; y.</summary>
    public OnnxValue Greater(OnnxValue other) => Meet("Greater", this, other, ScalarType.Bool);

    /// <summary>Whether x &gt; y.</summary>
    public OnnxValue Greater(double other) => Greater(Number(this, other));

    /// <summary>Whether x ≥ y.</summary>
    public OnnxValue GreaterOrEqual(OnnxValue other) => Meet("GreaterOrEqual", this, other, ScalarType.Bool);

    /// <summary>Whether x ≥ y.</summary>
    public OnnxValue GreaterOrEqual(double other) => GreaterOrEqual(Number(this, other));

    /// <summary>Whether x &lt; y.</summary>
    public OnnxValue Less(double other) => Meet("Less", this, Number(this, other), ScalarType.Bool);

    /// <summary>Whether x ≤ y.</summary>
    public OnnxValue LessOrEqual(OnnxValue other) => Meet("LessOrEqual", this, other, ScalarType.Bool);

    /// <summary>Whether x ≤ y.</summary>
    public OnnxValue LessOrEqual(double other) => LessOrEqual(Number(this, other));

    /// <summary>Whether x = y.</summary>
    public OnnxValue Same(double other) => Meet("Equal", this, Number(this, other), ScalarType.Bool);

    /// <summary>Of bools: whether both are true.</summary>
    public OnnxValue And(OnnxValue other) => Meet("And", this, other);

    /// <summary>Of bools: whether one is true.</summary>
    public OnnxValue Or(OnnxValue other) => Meet("Or", this, other);

    /// <summary>Of bools: the other one.</summary>
    public OnnxValue Not() => Apply("Not");

    /// <summary>Of bools (N, ...): whether any is true, of shape []; false for no examples.</summary>
    public OnnxValue Any() => To(ScalarType.Int64).Flat().Sum(0, 1).Reshape([]).Greater(0);

    /// <summary>Of bools: <paramref name="yes"/> where true, and <paramref name="no"/> elsewhere.</summary>
    public OnnxValue Where(OnnxValue yes, OnnxValue no)
    {
        ArgumentNullException.ThrowIfNull(yes);
        ArgumentNullException.ThrowIfNull(no);
        if (yes.Type != no.Type) throw new ArgumentException($"Two dtypes do not meet: {yes} and {no}.", nameof(no));
        var both = new OnnxValue(Graph, "", yes.Type, Spread(yes, no));
        return Graph.Node("Where", [this, yes, no], Spread(this, both), yes.Type);
    }

    /// <summary>The same in another dtype; itself if it has that.</summary>
    public OnnxValue To(ScalarType dtype) =>
        dtype == Type ? this : Graph.Node("Cast", [this], shape, dtype, ("to", (long)OnnxFile.TypeOf(dtype)));

    /// <summary>Limited to ±16, as the logarithms of scales are.</summary>
    internal OnnxValue Limited() => Clip(-MaxLogScale, MaxLogScale);

    /// <summary>x / √(1 + (x/c)²); x itself if there is no limit.</summary>
    internal OnnxValue Limited(double? limit)
    {
        if (limit is not { } c) return this;
        var u = (this * (1 / c)).Clip(-Kernels.InputLimit.Most, Kernels.InputLimit.Most);
        return u / ((u * u) + 1).Sqrt() * c;
    }
}
