using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>
/// Proves a bijection, yours or ours: log-determinants against the numerical and the autograd Jacobian, round trips, gradients, batches,
/// state, memory, device and dtype, in float64 and in float32. The laws are the members of <see cref="FlowLaw"/>.
/// </summary>
/// <remarks>
/// <para>In a test: <c>FlowCheck.Verify(() =&gt; new MyLayer(4), [4]).ThrowIfFailed();</c></para>
/// <para>The two Jacobians are independent of the log-det formula and of each other. Checking only that the log-dets of Forward and
/// Inverse sum to 0, as many libraries do, misses a wrong sign that both share.</para>
/// <para>A check costs about 100·D forward passes for an example of D elements; check small shapes. It changes torch's default device,
/// default dtype and random state for a moment, so nothing else may use torch meanwhile. All are put back;
/// of the random states that of the CPU, since TorchSharp cannot read a GPU's. Numbers that a layer draws
/// on a GPU by itself, not by <see cref="Noise"/>, are not seen there either: check it on the CPU.</para>
/// </remarks>
public static class FlowCheck
{
    /// <summary>The largest number of elements of an example: a Jacobian has its square.</summary>
    public const long MaxElements = 4096;

    /// <summary>Checks a bijection that exists.</summary>
    /// <param name="bijection">
    /// The caller's. Its values, dtype and modes are put back, but its parameters are new objects without gradients, as after <c>.to()</c>:
    /// check it before you make an optimizer for it, or pass a function that makes one.
    /// </param>
    /// <param name="shape">The shape of one example, all sizes known.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">The shape does not fit the bijection or is too large, or an option is out of range.</exception>
    [OverloadResolutionPriority(1)]   // numbers are a shape, and not the tensor that TorchSharp makes of them
    public static FlowCheckReport Verify(Bijection bijection, EventShape shape, FlowCheckOptions? options = null) =>
        Verify(() => Given(bijection), owned: false, shape, null, options ?? new());

    /// <summary>Checks a bijection that exists, on examples that it accepts.</summary>
    /// <param name="bijection">The caller's; see the other overload.</param>
    /// <param name="sample">(N, ...) with N at least 2: ordinary examples. The caller's.</param>
    /// <param name="options">Settings; limit extremes with <see cref="FlowCheckOptions.Minimum"/>
    /// and <see cref="FlowCheckOptions.Maximum"/> where the map is for a part of the space.</param>
    /// <exception cref="ArgumentException">The sample does not fit the bijection,
    /// holds NaN or infinity, or has fewer than two examples.</exception>
    public static FlowCheckReport Verify(Bijection bijection, Tensor sample, FlowCheckOptions? options = null) =>
        Verify(() => Given(bijection), owned: false, ShapeOf(sample), sample, options ?? new());

    /// <summary>Checks bijections that a function makes: one is checked, another loads its state. Both are disposed.</summary>
    /// <param name="make">Makes a new bijection at each call, always with the same options.</param>
    /// <param name="shape">The shape of one example, all sizes known.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">The shape does not fit the bijection or is too large, or an option is out of range.</exception>
    [OverloadResolutionPriority(1)]   // numbers are a shape, and not the tensor that TorchSharp makes of them
    public static FlowCheckReport Verify(Func<Bijection> make, EventShape shape, FlowCheckOptions? options = null) =>
        Verify(() => Made(make), owned: true, shape, null, options ?? new());

    /// <summary>Checks bijections that a function makes, on examples that they accept.</summary>
    /// <param name="make">Makes a new bijection at each call, always with the same options.</param>
    /// <param name="sample">(N, ...) with N at least 2: ordinary examples. The caller's.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">The sample does not fit the bijection,
    /// holds NaN or infinity, or has fewer than two examples.</exception>
    public static FlowCheckReport Verify(Func<Bijection> make, Tensor sample, FlowCheckOptions? options = null) =>
        Verify(() => Made(make), owned: true, ShapeOf(sample), sample, options ?? new());

    private static FlowCheckReport Verify(Func<Bijection> get, bool owned, EventShape shape, Tensor? sample, FlowCheckOptions options)
    {
        options.Validate();
        TorchBackend.EnsureAvailable();
        using var random = RandomState.Keep();
        manual_seed(options.Seed).Dispose();
        var layer = get();
        try { CheckArguments(layer, shape, sample, options); }
        catch when (owned)
        {
            layer.Dispose();
            throw;
        }
        var clock = Stopwatch.StartNew();
        using var scope = NewDisposeScope();
        using var gradients = enable_grad();
        using var subject = new Subject(layer, owned ? get : null, options);
        using var probes = new Probes(subject, shape, sample);
        var recorder = new Recorder(subject);
        // the same weights in both dtypes: whatever float32 can't hold is rounded first
        subject.Use(float32);
        layer.eval();
        if (options.RandomizeParameters)
            recorder.Run(FlowLaw.Shapes, "training passes", () => subject.Randomize(options.Seed, probes.Draw, probes.DrawContext(1)));
        subject.Use(float64);
        layer.eval();
        var all = probes.Make();
        var (values, gradientLaws) = (new ValueLaws(subject, recorder, shape), new GradientLaws(subject, recorder));
        foreach (var dtype in new[] { float64, float32 })
        {
            subject.Use(dtype);
            foreach (var probe in all)
            {
                // with a wrong shape, or where every call throws, the other laws have nothing to add
                if (!values.Check(probe)) continue;
                gradientLaws.Check(probe);
                if (!probe.Ordinary) continue;
                new CircleLaws(subject, recorder).Check(probe);
                new BatchLaws(subject, recorder, probes).Check(probe);
                new StateLaws(subject, recorder, probes).Check(probe);
                new StepLaws(subject, recorder).Check(probe);
            }
        }
        return new FlowCheckReport($"{layer.GetName()} {shape}", [.. recorder.Results.OrderBy(r => r.Law)], clock.Elapsed);
    }

    private static void CheckArguments(Bijection layer, EventShape shape, Tensor? sample, FlowCheckOptions options)
    {
        Subject.CommonDtype(layer);
        if (!shape.IsFixed) throw new ArgumentException($"FlowCheck needs a shape with all sizes known; got {shape}.", nameof(shape));
        if (layer.InputShape is { } expected && !expected.Matches(shape.ToArray()))
            throw new ArgumentException($"{layer.GetName()} takes examples of shape {expected}; got {shape}.", nameof(shape));
        if (shape.NumElements > MaxElements)
            throw new ArgumentException(
                $"FlowCheck computes Jacobians of D² numbers, and allows D up to {MaxElements}; {shape} has {shape.NumElements}. Check " +
                $"the layer on a smaller shape.", nameof(shape));
        if (sample is not null)
        {
            if (sample.shape[0] < 2)
                throw new ArgumentException($"FlowCheck needs a sample of at least 2 examples; got {sample.shape[0]}.", nameof(sample));
            Check.Finite(sample, nameof(sample), nameof(FlowCheck));
            using var scope = NewDisposeScope();
            var (least, most) = (sample.min().to(float64).Fetch<double>(), sample.max().to(float64).Fetch<double>());
            if (least < options.Minimum || most > options.Maximum)
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture,
                        $"The sample has values in [{least:G6}, {most:G6}], beyond the limits [{options.Minimum:G6}, " +
                        $"{options.Maximum:G6}] " +
                    $"of the options."), nameof(sample));
        }
        if (options.Context is not { } context) return;
        if (layer.ContextSize == 0)
            throw new ArgumentException($"{layer.GetName()} takes no context, but the options have one.", nameof(options));
        if (context.dim() != 2 || context.shape[0] < 2 || context.shape[1] != layer.ContextSize)
            throw new ArgumentException(
                $"The context of the options must have shape (n, {layer.ContextSize}) with n of at least 2; got " +
                $"{EventShape.Format(context.shape)}.", nameof(options));
        Check.Finite(context, "Context", nameof(FlowCheck));
    }

    private static Bijection Given(Bijection bijection)
    {
        ArgumentNullException.ThrowIfNull(bijection);
        return bijection;
    }

    private static Bijection Made(Func<Bijection> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        return make() ?? throw new ArgumentException("The function that makes the bijection returned null.", nameof(make));
    }

    private static EventShape ShapeOf(Tensor sample)
    {
        Check.Tensor(sample, nameof(sample));
        Check.NotMeta(sample, nameof(sample));
        if (sample.dim() < 1 || !sample.is_floating_point())
            throw new ArgumentException(
                $"FlowCheck needs a floating-point sample of shape (N, ...); got {sample.dtype} of shape " +
                $"{EventShape.Format(sample.shape)}. The shape of one example is written as [4] or [3, 8, 8], or is a long[].",
                nameof(sample));
        return EventShape.Create(sample.shape.AsSpan(1));
    }
}
