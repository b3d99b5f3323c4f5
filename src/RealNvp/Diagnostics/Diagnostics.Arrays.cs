using System.Runtime.CompilerServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The same for callers without tensors.</content>
public static partial class Diagnostics
{
    /// <summary>As <see cref="Sbc(ConditionalDensity, Tensor, Tensor?, int, bool, IReadOnlyList{TestQuantity}?, IReadOnlyList{string}?,
    /// double, long, IProgress{long}?, CancellationToken)"/>, of arrays.</summary>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">N rows of true values.</param>
    /// <param name="context">N rows of contexts, or N labels.</param>
    /// <param name="draws">L, the draws for each row, at least 1.</param>
    /// <param name="products">Whether products of two parameters are looked at, if there are at most 8 parameters.</param>
    /// <param name="names">The names of the parameters; null for those of the columns of the flow (<see cref="Flow.Info"/>), or θ1, θ2,
    /// ...</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="progress">Hears how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    [OverloadResolutionPriority(1)]
    public static CalibrationResult Sbc(ConditionalDensity density, DataRows theta, DataRows context = default, int draws = 199,
        bool products = true, IReadOnlyList<string>? names = null, double level = 0.05, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(Sbc)}");
        return Sbc(density, rows, given, draws, products, null, names, level, seed, progress, cancellationToken);
    }

    /// <summary>As <see cref="Coverage(ConditionalDensity, Tensor, Tensor?, int, double, long, IProgress{long}?, CancellationToken)"/>,
    /// of arrays.</summary>
    /// <inheritdoc cref="Sbc(ConditionalDensity, DataRows, DataRows, int, bool, IReadOnlyList{string}?, double, long, IProgress{long}?,
    /// CancellationToken)" path="/param"/>
    /// <exception cref="ArgumentException">log p of the density is not known, or an argument does not fit.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    [OverloadResolutionPriority(1)]
    public static CalibrationResult Coverage(ConditionalDensity density, DataRows theta, DataRows context = default, int draws = 199,
        double level = 0.05, long seed = 0, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(Coverage)}");
        return Coverage(density, rows, given, draws, level, seed, progress, cancellationToken);
    }

    /// <summary>As
    /// <see cref="Tarp(ConditionalDensity, Tensor, Tensor?, Tensor?, int, double, long, IProgress{long}?, CancellationToken)"/>,
    /// of arrays.</summary>
    /// <inheritdoc cref="Coverage(ConditionalDensity, DataRows, DataRows, int, double, long, IProgress{long}?, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static CalibrationResult Tarp(ConditionalDensity density, DataRows theta, DataRows context = default, int draws = 199,
        double level = 0.05, long seed = 0, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(Tarp)}");
        return Tarp(density, rows, given, null, draws, level, seed, progress, cancellationToken);
    }

    /// <summary>As <see cref="Pit(ConditionalDensity, Tensor, Tensor?, int, IReadOnlyList{string}?, double, long, IProgress{long}?,
    /// CancellationToken)"/>, of arrays.</summary>
    /// <inheritdoc cref="Pit(ConditionalDensity, Tensor, Tensor?, int, IReadOnlyList{string}?, double, long, IProgress{long}?,
    /// CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static CalibrationResult Pit(ConditionalDensity density, DataRows theta, DataRows context = default, int draws = 199,
        IReadOnlyList<string>? names = null, double level = 0.05, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(Pit)}");
        return Pit(density, rows, given, draws, names, level, seed, progress, cancellationToken);
    }

    /// <summary>As <see cref="LatentPit(Flow, Tensor, Tensor?, IReadOnlyList{string}?, double, CancellationToken)"/>, of arrays.</summary>
    /// <inheritdoc cref="LatentPit(Flow, Tensor, Tensor?, IReadOnlyList{string}?, double, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static CalibrationResult LatentPit(Flow flow, DataRows x, DataRows context = default, IReadOnlyList<string>? names = null,
        double level = 0.05, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        using var scope = NewDisposeScope();
        var (rows, given) = Given(flow, x, context, nameof(x), $"{nameof(Diagnostics)}.{nameof(LatentPit)}");
        return LatentPit(flow, rows, given, names, level, cancellationToken);
    }

    /// <summary>As <see cref="Crps(ConditionalDensity, Tensor, Tensor?, int?, int, string?, double, long, IProgress{long}?,
    /// CancellationToken)"/>, of arrays.</summary>
    /// <inheritdoc cref="Crps(ConditionalDensity, Tensor, Tensor?, int?, int, string?, double, long, IProgress{long}?,
    /// CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static CrpsResult Crps(ConditionalDensity density, DataRows theta, DataRows context = default, int? feature = null,
        int draws = 199, string? name = null, double level = 0.05, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(Crps)}");
        return Crps(density, rows, given, feature, draws, name, level, seed, progress, cancellationToken);
    }

    /// <summary>As <see cref="C2st(Tensor, Tensor, int, int, double, long)"/>, of arrays.</summary>
    /// <inheritdoc cref="C2st(Tensor, Tensor, int, int, double, long)"/>
    [OverloadResolutionPriority(1)]
    public static TwoSampleResult C2st(DataRows a, DataRows b, int permutations = 999, int maxRows = 10_000, double level = 0.05,
        long seed = 0)
    {
        using var scope = NewDisposeScope();
        var (one, two) = Pair(a, b, nameof(C2st));
        return C2st(one, two, permutations, maxRows, level, seed);
    }

    /// <summary>As <see cref="C2st(ConditionalDensity, Tensor, Tensor?, int, int, double, long, CancellationToken)"/>, of arrays.</summary>
    /// <inheritdoc cref="C2st(ConditionalDensity, Tensor, Tensor?, int, int, double, long, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static TwoSampleResult C2st(ConditionalDensity density, DataRows theta, DataRows context = default, int permutations = 999,
        int maxRows = 10_000, double level = 0.05, long seed = 0, CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(C2st)}");
        return C2st(density, rows, given, permutations, maxRows, level, seed, cancellationToken);
    }

    /// <summary>As <see cref="Mmd(Tensor, Tensor, int, int, double, long)"/>, of arrays.</summary>
    /// <inheritdoc cref="Mmd(Tensor, Tensor, int, int, double, long)"/>
    [OverloadResolutionPriority(1)]
    public static TwoSampleResult Mmd(DataRows a, DataRows b, int permutations = 499, int maxRows = 1000, double level = 0.05,
        long seed = 0)
    {
        using var scope = NewDisposeScope();
        var (one, two) = Pair(a, b, nameof(Mmd));
        return Mmd(one, two, permutations, maxRows, level, seed);
    }

    /// <summary>As <see cref="Mmd(ConditionalDensity, Tensor, Tensor?, int, int, double, long, CancellationToken)"/>, of arrays.</summary>
    /// <inheritdoc cref="Mmd(ConditionalDensity, Tensor, Tensor?, int, int, double, long, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static TwoSampleResult Mmd(ConditionalDensity density, DataRows theta, DataRows context = default, int permutations = 499,
        int maxRows = 1000, double level = 0.05, long seed = 0, CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(Mmd)}");
        return Mmd(density, rows, given, permutations, maxRows, level, seed, cancellationToken);
    }

    /// <summary>As <see cref="SlicedWasserstein(Tensor, Tensor, int, int, double, long)"/>, of arrays.</summary>
    /// <inheritdoc cref="SlicedWasserstein(Tensor, Tensor, int, int, double, long)"/>
    [OverloadResolutionPriority(1)]
    public static TwoSampleResult SlicedWasserstein(DataRows a, DataRows b, int permutations = 499, int maxRows = 2000, double level = 0.05,
        long seed = 0)
    {
        using var scope = NewDisposeScope();
        var (one, two) = Pair(a, b, nameof(SlicedWasserstein));
        return SlicedWasserstein(one, two, permutations, maxRows, level, seed);
    }

    /// <summary>As <see cref="SlicedWasserstein(ConditionalDensity, Tensor, Tensor?, int, int, double, long, CancellationToken)"/>,
    /// of arrays.</summary>
    /// <inheritdoc cref="SlicedWasserstein(ConditionalDensity, Tensor, Tensor?, int, int, double, long, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public static TwoSampleResult SlicedWasserstein(ConditionalDensity density, DataRows theta, DataRows context = default,
        int permutations = 499, int maxRows = 2000, double level = 0.05, long seed = 0, CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var (rows, given) = Given(density, theta, context, nameof(theta), $"{nameof(Diagnostics)}.{nameof(SlicedWasserstein)}");
        return SlicedWasserstein(density, rows, given, permutations, maxRows, level, seed, cancellationToken);
    }

    private static (Tensor A, Tensor B) Pair(DataRows a, DataRows b, string method)
    {
        var owner = $"{nameof(Diagnostics)}.{method}";
        return (a.ToTensor(EventShape.Create(a.Columns ?? 1), nameof(a), owner),
            b.ToTensor(EventShape.Create(b.Columns ?? 1), nameof(b), owner));
    }

    private static (Tensor Rows, Tensor? Context) Given(ConditionalDensity density, DataRows theta, DataRows context, string parameter,
        string owner)
    {
        ArgumentNullException.ThrowIfNull(density);
        if (density.Flow is not { } flow)
            return (theta.ToTensor(EventShape.Create(theta.Columns ?? 1), parameter, owner),
                context.IsNull ? null : context.ToTensor(EventShape.Create(context.Columns ?? 1), nameof(context), owner));
        return (flow.ToWeights(theta.ToTensor(flow.InputShape, parameter, owner)), context.IsNull ? null : flow.ToWeights(
            flow.ContextShape is { } shape ? context.ToTensor(shape, nameof(context), owner)
                : throw new ArgumentException($"{owner} got a context, but the flow is not conditional.", nameof(context))));
    }
}
