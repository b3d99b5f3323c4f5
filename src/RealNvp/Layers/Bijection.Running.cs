using RealNvp.Internal;
using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>How layers run within a pass.</content>
public abstract partial class Bijection
{
    // whether a first call in this direction gave what it must; later calls of the same code need no look
    private bool forwardFits, inverseFits;

    /// <summary>Applies the map without checks, for layers made of other layers. Null log-det: volume preserving.</summary>
    internal (Tensor Value, Tensor? LogDet) Run(Tensor input, Pass pass, bool inverse)
    {
        CheckAlive();
        var state = pass.State;
        state?.Arrival?.Invoke(this, input, inverse);
        if (state?.Runner is { } runner && runner.Takes(this)) return runner.Run([this], input, pass, inverse);
        using var scope = NewDisposeScope();
        // what a composition is made of writes on the tape, and not the composition
        var tape = this is Composite ? null : state?.Tape;
        var opened = tape?.Begin(this, null, input, inverse) ?? false;
        Tensor value;
        Tensor? logDet;
        try { (value, logDet) = inverse ? InverseCore(input, pass) : ForwardCore(input, pass); }
        catch (NoInverseException e) when (e.Passes(this, input)) { throw; }
        catch (OdeException e) when (e.Passes(this, input)) { throw; }
        if (!(inverse ? inverseFits : forwardFits)) CheckResult(input, value, logDet, inverse);
        if (opened) tape!.End();
        state?.Observer?.Invoke(new LayerRun(this, input, pass.Context, value, logDet, inverse));
        if (!ReferenceEquals(value, input)) scope.MoveToOuter(value);
        if (logDet is not null) scope.MoveToOuter(logDet);
        return (value, logDet);
    }

    // a layer of a wrong shape is named here: further on it would be an error of libtorch's that names nobody
    private void CheckResult(Tensor input, Tensor? value, Tensor? logDet, bool inverse)
    {
        var (core, given) = inverse ? (nameof(InverseCore), "z") : (nameof(ForwardCore), "x");
        var example = EventShape.Create(input.shape.AsSpan(1));
        long[] expected = [input.shape[0], .. inverse ? InputShapeOf(example) : OutputShapeOf(example)];
        var call = $"{GetName()}.{core}, for {given} of shape {EventShape.Format(input.shape)},";
        if (value is null) throw new InvalidOperationException($"{call} returned null as its value.");
        if (!value.shape.AsSpan().SequenceEqual(expected))
            throw new InvalidOperationException($"{call} returned a value of shape {EventShape.Format(value.shape)}; expected " +
                $"{EventShape.Format(expected)}. A layer that changes the shape says so in {nameof(OutputShapeOf)} and " +
                $"{nameof(InputShapeOf)}.");
        if (logDet is not null && !logDet.shape.AsSpan().SequenceEqual(expected.AsSpan(0, 1)))
            throw new InvalidOperationException(
                $"{call} returned a log-determinant of shape {EventShape.Format(logDet.shape)}; expected one " +
                $"number an example, {EventShape.Format(expected.AsSpan(0, 1))}. {nameof(SumExamples)} sums over all but the batch; null " +
                $"stands for 0.");
        if (inverse) inverseFits = true;
        else forwardFits = true;
    }

    /// <summary>
    /// Applies this layer and the one before it in Forward's order together; null if that saves nothing, or
    /// if somebody looks at each layer. The log-determinant is that of both. On a tape the two are one.
    /// </summary>
    internal (Tensor Value, Tensor? LogDet)? RunJoined(Bijection before, Tensor input, Pass pass, bool inverse)
    {
        if (this is not IJoinsLayer joining || disposed || before.disposed || pass.State is { IsWatched: true }
                || pass.Tape?.Joins(this, before, inverse) == false)
            return null;
        using var scope = NewDisposeScope();
        var opened = pass.Tape?.Begin(this, before, input, inverse) ?? false;
        if (joining.RunJoined(before, input, pass, inverse) is not { } result)
        {
            if (opened) pass.Tape!.Cancel();
            return null;
        }
        if (opened) pass.Tape!.End();
        scope.MoveToOuter(result.Value);
        if (result.LogDet is not null) scope.MoveToOuter(result.LogDet);
        return result;
    }

    /// <summary><see cref="Forward(Tensor, Tensor?)"/> or <see cref="Inverse(Tensor, Tensor?)"/> for a flow, which says by itself where a
    /// value came from that is not finite: often nobody gave it.</summary>
    internal (Tensor Value, Tensor LogDet) Run(Tensor input, Tensor? context, bool inverse)
    {
        if (inverse) CheckInverse(input, context);
        else CheckForward(input, context);
        return Apply(input, Pass.Here(context), inverse);
    }

    private void CheckForward(Tensor x, Tensor? context) =>
        CheckArguments(x, nameof(x), InputShape, context, nameof(Forward), ConvertsDtype);

    private void CheckInverse(Tensor z, Tensor? context) =>
        CheckArguments(z, nameof(z), InputShape is { } s ? OutputShapeOf(s) : (EventShape?)null, context, nameof(Inverse));

    // a layer that solves or searches stumbles over NaN, which others give back; who calls it alone gave that, or nobody did
    private (Tensor, Tensor) ApplyAlone(Tensor input, string parameter, Tensor? context, bool inverse)
    {
        try { return Apply(input, Pass.Here(context), inverse); }
        catch (Exception e) when (e is NoInverseException or OdeException { Failure: OdeFailure.NotFinite })
        {
            var owner = $"{GetName()}.{(inverse ? nameof(Inverse) : nameof(Forward))}";
            Check.Finite(input, parameter, owner);
            if (context is { } given && given.is_floating_point()) Check.Finite(given, nameof(context), owner);
            throw;
        }
    }

    // the pass that the caller was given is the one that runs here; one
    // that was kept, or is of another thread, is over or not for this call
    private (Tensor, Tensor) Apply(Tensor input, Pass pass, bool inverse)
    {
        if (!ReferenceEquals(pass.State, PassState.Current))
            throw new InvalidOperationException($"{GetName()} was called with the pass of another call. Give it the pass that your " +
                $"{nameof(ForwardCore)} or {nameof(InverseCore)} was given, within that call and on its thread.");
        using var scope = NewDisposeScope();
        var (value, logDet) = Run(input, pass, inverse);
        if (ReferenceEquals(value, input)) value = input.alias();
        logDet ??= zeros(input.shape[0], dtype: value.dtype, device: value.device);
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDet));
    }
}
