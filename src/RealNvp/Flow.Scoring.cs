using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>log p(x | context) in nats: minus infinity for a row outside of the
    /// support, or whose density is below what the dtype can hold.</summary>
    /// <remarks>
    /// <para>Rows are computed some at a time. If x or the context requires a gradient, all are computed at once whatever
    /// <paramref name="batchSize"/> says, so that batches change neither result nor gradients; the weights get gradients then too.</para>
    /// <para>A seed's noise is one stream that is drawn in the order of the rows. On a CPU the noise does not depend on the batch size if
    /// one layer draws it, as in all models of this library; otherwise the same seed and the same batch size give the same result.</para>
    /// </remarks>
    /// <param name="x">(N, ...) in the shape of <see cref="InputShape"/>;
    /// integers are allowed if the flow dequantizes. All values finite.</param>
    /// <param name="context">(N, C) for a conditional flow. All values finite.</param>
    /// <param name="seed">Fixes the noise of a dequantization; null draws from torch's generator.</param>
    /// <param name="batchSize">The number of rows at a time, at least 1; null for what suits the shape.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>(N).</returns>
    /// <exception cref="ArgumentException">An argument does not fit, or holds NaN or infinity; the message lists the rows.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN, as if values pass the largest number
    /// of the dtype; it names the layer and the rows. float64 reaches further.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Tensor LogProb(Tensor x, Tensor? context = null, long? seed = null, int? batchSize = null, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default) =>
        (IsPlain(batchSize, progress, cancellationToken) ? Few(FewOf.LogProb, x, context) : null)
        ?? LogProbFor(x, context, seed, $"{GetName()}.{nameof(LogProb)}", NeedsGraph(x, context),
            Passing(batchSize, progress, cancellationToken));

    /// <summary>-log₂ p(x | context) / D for each example: bits per dimension.
    /// With dequantized integers it compares with the papers.</summary>
    /// <inheritdoc cref="LogProb(Tensor, Tensor, long?, int?, IProgress{long}, CancellationToken)"/>
    public Tensor BitsPerDim(Tensor x, Tensor? context = null, long? seed = null, int? batchSize = null, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        var logProb = (IsPlain(batchSize, progress, cancellationToken) ? Few(FewOf.LogProb, x, context) : null)
            ?? LogProbFor(x, context, seed, $"{GetName()}.{nameof(BitsPerDim)}", NeedsGraph(x, context),
                Passing(batchSize, progress, cancellationToken));
        return scope.MoveToOuter(logProb.mul(Scalars.Of(-1 / (InputShape.NumElements * Math.Log(2)))));
    }

    /// <summary>Maps data to latents: z = f(x).</summary>
    /// <inheritdoc cref="LogProb(Tensor, Tensor, long?, int?, IProgress{long}, CancellationToken)"/>
    /// <returns>(N, ...) in the shape of <see cref="LatentShape"/>.</returns>
    /// <exception cref="ArgumentException">An argument does not fit, holds NaN or infinity, or
    /// a row lies outside of the domain of the flow; the message lists the rows.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer and the rows.</exception>
    public Tensor Encode(Tensor x, Tensor? context = null, long? seed = null, int? batchSize = null, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default) =>
        (IsPlain(batchSize, progress, cancellationToken) ? Few(FewOf.Latents, x, context) : null)
        ?? EncodeFor(x, context, seed, $"{GetName()}.{nameof(Encode)}", Passing(batchSize, progress, cancellationToken));

    /// <summary>Maps latents to data: x = f⁻¹(z).</summary>
    /// <param name="z">(N, ...) in the shape of <see cref="LatentShape"/>. All values finite.</param>
    /// <param name="context">(N, C) for a conditional flow. All values finite.</param>
    /// <param name="dtype">
    /// The dtype of x: float32, float64, or null for that of the weights. float64 brings digits back
    /// that only data in float64 had, such as seconds since 1970, if the flow begins with a layer that
    /// converts (<see cref="Bijection.ConvertsDtype"/>), as a <see cref="Standardization"/> does.
    /// </param>
    /// <param name="batchSize">The number of rows at a time, at least 1; null for what
    /// suits the shape. All at once if z or the context requires a gradient.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>(N, ...) in the shape of <see cref="InputShape"/>.</returns>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer and the rows.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Tensor Decode(Tensor z, Tensor? context = null, ScalarType? dtype = null, int? batchSize = null,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (IsPlain(batchSize, progress, cancellationToken) && Few(FewOf.Examples, z, context, dtype) is { } few) return few;
        using var wanted = Wanted(dtype);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(OutDtype(DecodeFor(z, context, $"{GetName()}.{nameof(Decode)}",
            Passing(batchSize, progress, cancellationToken)), dtype));
    }

    internal Tensor LogProbFor(Tensor x, Tensor? context, long? seed, string owner, bool graph, Passes passes)
    {
        const string operation = "log_prob";
        var begun = FlowMetrics.Begin();
        try
        {
            var logProb = LogProbOfRows(x, context, seed, owner, graph, passes);
            if (begun != 0) FlowMetrics.End(begun, operation, this, logProb.numel(), FlowMetrics.OutsideSupport(logProb));
            return logProb;
        }
        catch (Exception e) when (FlowMetrics.Failed(begun, operation, this, e, x)) { throw; }
    }

    private Tensor LogProbOfRows(Tensor x, Tensor? context, long? seed, string owner, bool graph, Passes passes)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = graph ? null : no_grad();
        CheckInput(x, context, owner);
        using var random = PassState.Seed(seed);
        return scope.MoveToOuter((graph ? passes.AtOnce() : passes).Run(x.shape[0], 1, owner, (start, count) =>
        {
            var (part, given) = Rows(x, context, start, count);
            return Scored(part, given, start, owner);
        }));
    }

    /// <summary>What log p(x) is the sum of: log p of the latents and the log-determinant, (N, 2), for flows without a context.
    /// NaN for a row that passes the largest number of the dtype.</summary>
    internal Tensor LogProbParts(Tensor x, long? seed, string owner, CancellationToken cancellationToken)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        CheckInput(x, null, owner);
        using var random = PassState.Seed(seed);
        return scope.MoveToOuter(Passing(null, null, cancellationToken).Run(x.shape[0], 2, owner, (start, count) =>
        {
            var (z, logDet) = Applied(owner, Prepared(Passes.Part(x, start, count)), null);
            return stack([base_density.LogProb(z), logDet], 1);
        }));
    }

    internal Tensor EncodeFor(Tensor x, Tensor? context, long? seed, string owner, Passes passes)
    {
        const string operation = "encode";
        var begun = FlowMetrics.Begin();
        try
        {
            var z = LatentsOf(x, context, seed, owner, passes);
            FlowMetrics.End(begun, operation, this, x.shape[0]);
            return z;
        }
        catch (Exception e) when (FlowMetrics.Failed(begun, operation, this, e, x)) { throw; }
    }

    private Tensor LatentsOf(Tensor x, Tensor? context, long? seed, string owner, Passes passes)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        var graph = NeedsGraph(x, context);
        using var gradients = graph ? null : no_grad();
        CheckInput(x, context, owner);
        using var random = PassState.Seed(seed);
        return scope.MoveToOuter((graph ? passes.AtOnce() : passes).Run(x.shape[0], LatentShape.NumElements, owner, (start, count) =>
        {
            var (part, given) = Rows(x, context, start, count);
            var input = Prepared(part);
            var features = Features(given, input.dtype, owner);
            // layers that have a domain say so by their log-determinants, which cost them nothing
            var (z, logDet) = Applied(owner, input, ForBijection(features), wantsLogDet: false);
            if (!Numbers.AreFinite(logDet)) CheckInside(logDet, start, owner);
            if (!Numbers.AreFinite(z))
                throw NotFinite(z, start, owner, rows => Applied(owner, input.index_select(0, rows),
                    ForBijection(features)?.index_select(0, rows), wantsLogDet: false));
            return z;
        }));
    }

    internal Tensor DecodeFor(Tensor z, Tensor? context, string owner, Passes passes)
    {
        const string operation = "decode";
        var begun = FlowMetrics.Begin();
        try
        {
            var x = ExamplesOf(z, context, owner, passes);
            FlowMetrics.End(begun, operation, this, z.shape[0]);
            return x;
        }
        catch (Exception e) when (FlowMetrics.Failed(begun, operation, this, e, z)) { throw; }
    }

    private Tensor ExamplesOf(Tensor z, Tensor? context, string owner, Passes passes)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        var graph = NeedsGraph(z, context, nameof(z));
        using var gradients = graph ? null : no_grad();
        CheckLatents(z, owner);
        CheckContext(context, z.shape[0], owner);
        return scope.MoveToOuter((graph ? passes.AtOnce() : passes).Run(z.shape[0], InputShape.NumElements, owner, (start, count) =>
        {
            var (part, given) = Rows(z, context, start, count);
            part = InWeightDtype(part);
            var features = ForBijection(Features(given, part.dtype, owner));
            var x = Applied(owner, part, features, inverse: true, wantsLogDet: false).Value;
            if (!Numbers.AreFinite(x))
                throw NotFinite(x, start, owner, rows => Applied(owner, part.index_select(0, rows), features?.index_select(0, rows),
                    inverse: true, wantsLogDet: false));
            return x;
        }));
    }

    // log p of checked rows, which begin with that number
    private Tensor Scored(Tensor x, Tensor? context, long start, string owner)
    {
        var input = Prepared(x);
        var features = Features(context, input.dtype, owner);
        var (z, logDet) = Applied(owner, input, ForBijection(features));
        var logProb = base_density.LogProb(z, ForBase(features)).add(logDet, Scalars.One);
        if (!Numbers.AreFinite(logProb))
            CheckLogDensities(logProb, start, owner, rows => LogProbOf(owner, input.index_select(0, rows),
                features?.index_select(0, rows)));
        return logProb;
    }

    /// <summary>log p (N) of checked data with features of contexts, in the mode that the flow has.</summary>
    private Tensor LogProbOf(string owner, Tensor input, Tensor? features)
    {
        var (z, logDet) = Applied(owner, input, ForBijection(features));
        return base_density.LogProb(z, ForBase(features)).add(logDet, Scalars.One);
    }

    private void CheckInput(Tensor x, Tensor? context, string owner)
    {
        CheckData(x, owner);
        CheckContext(context, x.shape[0], owner);
    }

    internal Passes DefaultPasses => Passing(null, null, default);

    private Passes Passing(int? batchSize, IProgress<long>? progress, CancellationToken cancellationToken) =>
        Passes.Of(batchSize, InputShape, SamplingDevice.type, progress, cancellationToken);

    // who scores wants numbers: a graph is kept for those alone who differentiate by what they pass
    private static bool NeedsGraph(Tensor x, Tensor? context, string parameter = "x")
    {
        Check.Tensor(x, parameter);
        return is_grad_enabled() && (x.requires_grad || context is { IsInvalid: false, requires_grad: true });
    }

    private static (Tensor, Tensor?) Rows(Tensor x, Tensor? context, long start, long count) =>
        (Passes.Part(x, start, count), context is null ? null : Passes.Part(context, start, count));
}
