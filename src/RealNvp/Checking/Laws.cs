using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>What the families of laws share: the subject, the recorder, and differences between tensors.</summary>
internal abstract class Laws(Subject subject, Recorder recorder)
{
    protected Subject Subject { get; } = subject;

    protected Recorder Recorder { get; } = recorder;

    protected Bijection Layer => Subject.Layer;

    protected double Tolerance => Subject.Options.Tolerance(Subject.Dtype);

    protected double Epsilon => finfo(Subject.Dtype).eps;

    /// <summary>A copy: a layer that changes its input in place must not change the probes.</summary>
    protected Tensor Cast(Tensor value) => value.to(Subject.Dtype, Subject.Device, copy: true);

    /// <summary>Sets the mode of the layer for one check; evaluation mode is what all others find.</summary>
    protected void InTraining(Action action)
    {
        using var scope = NewDisposeScope();
        var state = Subject.Snapshot();
        Layer.train();
        try { action(); }
        finally
        {
            Layer.eval();
            Subject.Restore(state);
        }
    }

    /// <summary>The largest difference; NaN if a value is NaN or shapes differ.</summary>
    protected static double Difference(Tensor a, Tensor b)
    {
        if (!a.shape.AsSpan().SequenceEqual(b.shape)) return double.NaN;
        if (a.numel() == 0) return 0;
        using var scope = NewDisposeScope();
        return a.detach().to(float64).sub(b.detach().to(float64)).abs().max().Fetch<double>();
    }

    /// <summary>The circles of x.</summary>
    protected IReadOnlyList<Circle> DataCircles => Layer.CircularFeatures;

    /// <summary>The circles of z.</summary>
    protected IReadOnlyList<Circle> LatentCircles => Layer.CirclesThrough(Layer.CircularFeatures);

    /// <summary>The largest difference, on a circle the shorter way round; NaN if a value is NaN or shapes differ.</summary>
    protected static double Difference(Tensor a, Tensor b, IReadOnlyList<Circle> circles)
    {
        if (circles.Count == 0 || a.numel() == 0 || !a.shape.AsSpan().SequenceEqual(b.shape)) return Difference(a, b);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var difference = a.detach().to(float64).sub(b.detach().to(float64)).flatten(1);
        foreach (var circle in circles)
        {
            var column = difference.select(1, circle.Feature);
            var period = Scalars.Of(circle.Period);
            column.sub_(column.div(period).round().mul(period));
        }
        return difference.abs().max().Fetch<double>();
    }

    /// <summary>The largest magnitude, at least 1: what a relative tolerance multiplies.</summary>
    protected static double Scale(params ReadOnlySpan<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        var scale = 1.0;
        foreach (var tensor in tensors)
            if (tensor.numel() > 0) scale = Math.Max(scale, tensor.detach().abs().max().to(float64).Fetch<double>());
        return scale;
    }

    protected static double Item(Tensor value, int row)
    {
        using var scope = NewDisposeScope();
        return value.detach()[row].to(float64).Fetch<double>();
    }

    protected static string Shape(Tensor tensor) => EventShape.Format(tensor.shape);
}
