using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Shapes, finite values, round trips, and log-determinants: opposite,
/// and those of the numerical and the autograd Jacobian.</summary>
internal sealed class ValueLaws(Subject subject, Recorder recorder, EventShape shape) : Laws(subject, recorder)
{
    /// <summary>Roundings in a row that the allowance at an input counts.</summary>
    private const double Roundings = 32;

    /// <summary>A tolerance above this share of the value says nothing; special
    /// inputs are then inconclusive, and ordinary ones get no more.</summary>
    private const double LargestShare = 0.02;

    /// <summary>What the tolerance is multiplied with at zeros, extremes and points, where layers amplify each other's rounding.</summary>
    private const double SpecialInputs = 10;

    /// <summary>A numerical log-det whose error is below this share of it says something.</summary>
    private const double SettledShare = 1e-5;

    /// <summary>Checks one probe; false if its shapes are wrong or a call threw.</summary>
    public bool Check(Probe probe)
    {
        using var all = NewDisposeScope();
        var (input, context) = (Cast(probe.Input), probe.Context is null ? null : Cast(probe.Context));
        (Tensor Value, Tensor LogDet) there = (input, input), back = there;
        var good = false;
        Recorder.Run(FlowLaw.Shapes, probe.Name, () =>
        {
            using var _ = no_grad();
            there = Kept(Subject.Run(input, context, probe.Inverse));
            var expected = (probe.Inverse ? Layer.InputShapeOf(Layer.OutputShapeOf(shape)) : Layer.OutputShapeOf(shape))
                .WithBatch(input.shape[0]);
            good = Shapes(probe.Name, probe.Inverse, input, there, expected);
            if (!good) return;
            back = Kept(Subject.Run(there.Value, context, !probe.Inverse));
            good = Shapes($"{probe.Name}, back", !probe.Inverse, there.Value, back, input.shape);
        });
        if (!good) return false;
        if (!Finite(probe, there, back)) return true;
        var sensitivity = probe.Sensitivity ??= Sensitivity(input, context, probe.Inverse);
        var amplification = probe.Amplification ??= Amplification(there.Value, back, context, !probe.Inverse);
        RoundTrip(probe, input, there.Value, back.Value, Roundings * Epsilon * amplification.Value);
        Recorder.Run(FlowLaw.OppositeLogDets, probe.Name, () =>
        {
            var scale = Scale(there.LogDet);
            var error = Difference(there.LogDet, back.LogDet.neg());
            var row = (int)there.LogDet.add(back.LogDet, Scalars.One).abs().argmax().Fetch<long>();
            Judge(FlowLaw.OppositeLogDets, probe, probe.Name, error, scale, Roundings * Epsilon * (sensitivity + amplification.LogDet),
                string.Create(CultureInfo.InvariantCulture,
                    $"In example {row}, {Direction(probe.Inverse)} gives log-det {Item(there.LogDet, row):G9} and " +
                    $"{Direction(!probe.Inverse)} {Item(back.LogDet, row):G9}; they should be opposite."));
        });
        if (Layer.KeepsLength) Recorder.Run(FlowLaw.KeepsLength, probe.Name, () => Lengths(probe, input, there.Value));
        foreach (var row in probe.Rows) Jacobians(probe, input, context, there.LogDet, row, sensitivity);
        return true;
    }

    // for a closure that a scope of its own surrounds
    private static (Tensor Value, Tensor LogDet) Kept((Tensor Value, Tensor LogDet) result) =>
        (result.Value.MoveToOuterDisposeScope(), result.LogDet.MoveToOuterDisposeScope());

    private bool Shapes(string where, bool inverse, Tensor input, (Tensor Value, Tensor LogDet) result, long[] expected)
    {
        var n = input.shape[0];
        var good = result.Value.shape.AsSpan().SequenceEqual(expected) && result.LogDet.shape.AsSpan().SequenceEqual([n])
            && result.Value.numel() == input.numel();
        Recorder.Require(FlowLaw.Shapes, where, good,
            $"{Direction(inverse)} of {Shape(input)} gave a value of shape {Shape(result.Value)} and a log-det of shape " +
                $"{Shape(result.LogDet)}; expected {EventShape.Format(expected)} and ({n},), with as many elements as came.");
        return good;
    }

    private bool Finite(Probe probe, (Tensor Value, Tensor LogDet) there, (Tensor Value, Tensor LogDet) back)
    {
        using var scope = NewDisposeScope();
        var results = new Dictionary<string, Tensor>
        {
            [$"value of {Direction(probe.Inverse)}"] = there.Value,
            [$"log-det of {Direction(probe.Inverse)}"] = there.LogDet,
            [$"value of {Direction(!probe.Inverse)} at its result"] = back.Value,
            [$"log-det of {Direction(!probe.Inverse)} at its result"] = back.LogDet,
        };
        var bad = results.FirstOrDefault(r => !r.Value.isfinite().all().Fetch<bool>()).Key;
        Recorder.Require(FlowLaw.FiniteValues, probe.Name, bad is null, $"The {bad} is NaN or infinite.");
        return bad is null;
    }

    private void RoundTrip(Probe probe, Tensor input, Tensor value, Tensor back, double allowance)
    {
        var law = probe.Inverse ? FlowLaw.ForwardUndoesInverse : FlowLaw.InverseUndoesForward;
        Recorder.Run(law, probe.Name, () =>
        {
            var error = Difference(back, input, probe.Inverse ? LatentCircles : DataCircles);
            var worst = (int)back.sub(input).abs().flatten(1).amax([1L]).argmax().Fetch<long>();
            Judge(law, probe, probe.Name, error, Scale(input, value), allowance,
                $"{Direction(!probe.Inverse)}({Direction(probe.Inverse)}({(probe.Inverse ? "z" : "x")})) differs most in example {worst}.");
        });
    }

    private void Lengths(Probe probe, Tensor input, Tensor value)
    {
        using var _ = no_grad();
        var (before, after) = (input.flatten(1).norm(1), value.flatten(1).norm(1));
        var worst = (int)before.sub(after).abs().argmax().Fetch<long>();
        Recorder.Compare(FlowLaw.KeepsLength, probe.Name, Difference(before, after), Roundings * Epsilon * Scale(before),
            string.Create(CultureInfo.InvariantCulture,
                $"{Direction(probe.Inverse)} of a vector of length {Item(before, worst):G9} has length {Item(after, worst):G9}."));
    }

    private void Jacobians(Probe probe, Tensor input, Tensor? context, Tensor logDets, int row, double sensitivity)
    {
        var where = $"{probe.Name}, example {row}";
        // noise from a seed is the same only in batches of the same size
        var most = Layer.IsStochastic ? 1 : long.MaxValue;
        var rounding = Roundings * Epsilon * sensitivity;
        Tensor Map(Tensor batch)
        {
            var (value, logDet) = Subject.Run(batch, context?[row].unsqueeze(0).expand(batch.shape[0], -1), probe.Inverse);
            logDet.Dispose();
            return value;
        }
        double Found()
        {
            if (!Layer.IsStochastic) return Item(logDets, row);
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            return Item(Subject.Run(input[row].unsqueeze(0), context?[row].unsqueeze(0), probe.Inverse).LogDet, 0);
        }
        Recorder.Run(FlowLaw.AutogradLogDet, where, () =>
        {
            var found = Found();
            var scale = Math.Max(1, Math.Abs(found));
            var jacobian = Derivatives.Jacobian(Map, input[row], most);
            var expected = Derivatives.LogAbsDet(jacobian);
            var condition = double.IsFinite(expected) ? Derivatives.LogDetCondition(jacobian) : 0;
            // float64 comes first. What float32's backward pass loses against it is
            // rounding of the Jacobian; the numerical law judges the log-det
            if (Subject.Dtype == float64) probe.Autograd[row] = expected;
            var lost = !probe.Ordinary && Subject.Dtype != float64 && probe.Autograd.TryGetValue(row, out var exact)
                && double.IsFinite(exact) ? Math.Abs(expected - exact) : 0;
            Judge(FlowLaw.AutogradLogDet, probe, where, Error(found, expected), scale, rounding + (Epsilon * condition) + lost,
                Disagreement(found, expected, "autograd's Jacobian", scale));
        });
        if (!probe.Differences) return;
        Recorder.Run(FlowLaw.NumericalLogDet, where, () =>
        {
            using var _ = no_grad();
            var found = Found();
            var scale = Math.Max(1, Math.Abs(found));
            // float32 is too coarse to differentiate: its log-det is held against
            // the Jacobian that float64 has with the same weights and input
            if (!probe.Numerical.TryGetValue(row, out var numerical))
                probe.Numerical[row] = numerical = Derivatives.NumericalLogDet(Map, input[row], most, found, 0.5 * Tolerance * scale);
            var settled = numerical.Error <= SettledShare * scale;
            var detail = Disagreement(found, numerical.LogDet, "the numerical Jacobian", scale);
            if (settled)
                Judge(FlowLaw.NumericalLogDet, probe, where, Error(found, numerical.LogDet), scale, rounding + (2 * numerical.Error),
                    detail);
            else if (probe.Ordinary && !double.IsNegativeInfinity(numerical.LogDet))
                Recorder.Compare(FlowLaw.NumericalLogDet, where, double.NaN, Tolerance * scale,
                    string.Create(CultureInfo.InvariantCulture,
                    $"The central differences do not settle at any step (estimated error {numerical.Error:G3}): the map is not smooth " +
                    $"here. {detail}"));
            else if (probe.Ordinary) Recorder.Compare(FlowLaw.NumericalLogDet, where, double.PositiveInfinity, Tolerance * scale, detail);
            else
                Recorder.Inconclusive(FlowLaw.NumericalLogDet, where, Error(found, numerical.LogDet), Tolerance * scale,
                    "The map is not smooth here.");
        });
    }

    /// <summary>Compares, with an allowance for rounding on top of the tolerance, which must leave something to say.</summary>
    private void Judge(FlowLaw law, Probe probe, string where, double error, double scale, double allowance, string detail)
    {
        var tolerance = Tolerance * (probe.Ordinary ? 1 : SpecialInputs) * scale;
        var most = Math.Max(tolerance, LargestShare * scale);
        if (probe.Ordinary || tolerance + allowance <= most)
            Recorder.Compare(law, where, error, Math.Min(tolerance + allowance, most), detail);
        else if (error <= most) Recorder.Compare(law, where, error, most);
        else Recorder.Inconclusive(law, where, error, most, "The dtype cannot resolve the difference here.");
    }

    /// <summary>
    /// How much relative errors of 1 in the inputs and the weights move the log-determinant: Σ |∂L/∂x| |x| + Σ |∂L/∂θ| |θ|, for the most
    /// sensitive example. Times a few roundings, it is the error that even a perfect program has.
    /// </summary>
    private double Sensitivity(Tensor input, Tensor? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        try
        {
            var x = input.detach().clone().requires_grad_(true);
            Layer.zero_grad();
            var logDet = Subject.Run(x, context, inverse).LogDet;
            if (!logDet.requires_grad) return 0;
            logDet.sum().backward();
            var total = x.grad is { } g ? g.mul(x).abs().flatten(1).sum(1).max().to(float64).Fetch<double>() : 0;
            foreach (var parameter in Layer.parameters())
                if (parameter.grad is { } gradient) total += gradient.mul(parameter).abs().sum().to(float64).Fetch<double>();
            return double.IsFinite(total) ? total : 0;
        }
        catch (Exception e) when (e is not OutOfMemoryException) { return 0; }   // the law of gradients reports it
        finally { Layer.zero_grad(); }
    }

    /// <summary>
    /// How much relative errors of 1 in the result of one direction move the result and the log-determinant of the other: from one small
    /// step in a random direction.
    /// </summary>
    private (double Value, double LogDet) Amplification(Tensor value, (Tensor Value, Tensor LogDet) back, Tensor? context, bool inverse)
    {
        const double step = 1e-7;
        if (Subject.Dtype != float64) return default;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var generator = RandomSource.New(Subject.Options.Seed);
        var signs = Noise.Uniform(value.shape, ScalarType.Float64, CPU, generator).sub(Scalars.Of(0.5)).sign().to(value.device);
        try
        {
            var moved = Subject.Run(value.add(signs.mul(value.abs().clamp(Scalars.Of(1))).mul(Scalars.Of(step)), Scalars.One), context,
                inverse);
            var (a, b) = (Difference(moved.Value, back.Value) / step, Difference(moved.LogDet, back.LogDet) / step);
            return (double.IsFinite(a) ? a : 0, double.IsFinite(b) ? b : 0);
        }
        catch (Exception e) when (e is not OutOfMemoryException) { return default; }   // no allowance where a step leaves the domain
    }

    private static double Error(double found, double expected) => double.IsNegativeInfinity(expected) ? double.PositiveInfinity
        : Math.Abs(found - expected);

    private static string Disagreement(double found, double expected, string source, double scale)
    {
        if (double.IsNegativeInfinity(expected))
            return FormattableString.Invariant($"The log-det is {found:G9}, but {source} is singular.");
        var sign = Math.Abs(found + expected) <= 1e-3 * scale && Math.Abs(expected) > 0.01 ? " The sign is wrong." : "";
        return FormattableString.Invariant($"The log-det is {found:G9}; {source} has {expected:G9}.{sign}");
    }

    private static string Direction(bool inverse) => inverse ? "Inverse" : "Forward";
}
