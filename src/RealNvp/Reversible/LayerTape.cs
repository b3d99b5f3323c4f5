using RealNvp.Layers;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// What a run of layers needs beside its output to be computed again: the statistics that batch normalization used, the state of networks
/// that are not the library's, and a few inputs.
/// </summary>
internal sealed class LayerTape(int? interval) : PassTape
{
    private static readonly ConditionalWeakTable<Bijection, nn.Module[]> stateful = [];

    private readonly List<TapeFrame> frames = [];
    private readonly List<Tensor> tensors = [];
    private DisposeScope? home;
    private Mode mode;
    private TapeFrame? open;
    private int next, begun;

    internal enum Mode { Recording, Storing, Replaying }

    /// <inheritdoc/>
    public override bool IsReplaying => mode != Mode.Recording;

    /// <summary>What is on the tape.</summary>
    public IReadOnlyList<Tensor> Tensors => tensors;

    /// <summary>Records the layers that run on this thread until disposed; tensors go to the scope <paramref name="owner"/>.</summary>
    public Scope Record(DisposeScope owner)
    {
        home = owner;
        return Enter(Mode.Recording, 0);
    }

    /// <summary>Begins a backward pass at the last layer, with the recorded tensors as autograd gives them back.</summary>
    public Scope Replay(IEnumerable<Tensor> recorded)
    {
        Release();
        tensors.AddRange(recorded);
        return Enter(Mode.Replaying, frames.Count);
    }

    /// <summary>Until disposed, layers run from the first on again, and their inputs go to
    /// the scope <paramref name="owner"/>; then the backward pass begins anew.</summary>
    public Scope Store(DisposeScope owner)
    {
        home = owner;
        return Enter(Mode.Storing, 0);
    }

    /// <summary>Forgets the tensors, which autograd keeps.</summary>
    public void Release()
    {
        tensors.Clear();
        foreach (var frame in frames) frame.Rebuilt = null;
        open = null;
    }

    /// <inheritdoc/>
    public override bool Joins(Bijection layer, Bijection before, bool inverse) =>
        open is not null || mode == Mode.Replaying || (mode == Mode.Recording ? !inverse : IsNext(next, layer, before));

    /// <inheritdoc/>
    public override bool Begin(Bijection layer, Bijection? before, Tensor input, bool inverse)
    {
        if (open is not null || mode == Mode.Replaying) return false;
        if (mode == Mode.Storing)
        {
            if (!IsNext(next, layer, before)) throw Changed(layer);
            open = frames[next++];
            open.Rebuilt = input.detach().MoveToOtherDisposeScope(home!);
            return true;
        }
        open = new TapeFrame(layer, before);
        frames.Add(open);
        begun = tensors.Count;
        if (layer.KeepsInput(inverse) || (before?.KeepsInput(inverse) ?? false) || (interval is { } k && frames.Count % k == 0))
            open.Input = Add(input.detach());
        open.State = [.. State(open).Select(b => Add(b.clone()))];
        return true;
    }

    /// <summary>Statistics of the open frame are read from the first on again.</summary>
    public void Rewind() => open?.Rewind();

    /// <inheritdoc/>
    public override void End() => open = null;

    /// <inheritdoc/>
    public override void Cancel()
    {
        if (mode == Mode.Storing) frames[--next].Rebuilt = null;
        else
        {
            frames.RemoveAt(frames.Count - 1);
            foreach (var tensor in tensors.Skip(begun)) tensor.Dispose();
            tensors.RemoveRange(begun, tensors.Count - begun);
        }
        open = null;
    }

    /// <summary>Opens the frames backwards, from the last layer of the run to the first.</summary>
    /// <returns>The input of the layer if it is known, and whether that was kept since the pass.</returns>
    public (Tensor? Input, bool Kept) Back(Bijection layer, Bijection? before)
    {
        if (!IsNext(next - 1, layer, before)) throw Changed(layer);
        open = frames[--next];
        return open.Rebuilt is not null ? (open.Rebuilt, false) : open.Input is { } at ? (tensors[at], true) : (null, false);
    }

    /// <summary>Whether the frame that <see cref="Back"/> opens next is that of two layers that ran together.</summary>
    public bool Joined(Bijection layer, Bijection before) => IsNext(next - 1, layer, before);

    /// <inheritdoc/>
    public override void Write(nn.Module part, params ReadOnlySpan<Tensor> values)
    {
        if (open is null || IsReplaying) return;
        foreach (var value in values) open.Of(part).Add(Add(value));
    }

    /// <inheritdoc/>
    public override Tensor[] Read(nn.Module part, int count, bool fromEnd = false)
    {
        var places = open!.Of(part);
        var visit = open.Visit(part, fromEnd);
        var start = fromEnd ? places.Count - ((visit + 1) * count) : visit * count;
        if (start < 0 || start + count > places.Count)
            throw new InvalidOperationException(
                $"{part.GetName()} ran more often than before: a layer must do the same when it is computed again.");
        return [.. places.Skip(start).Take(count).Select(i => tensors[i])];
    }

    /// <summary>Puts the state that networks had before the pass back, until disposed.</summary>
    public StateScope? Restore()
    {
        if (open is not { State.Length: > 0 } frame) return null;
        using var _ = no_grad();
        var live = State(frame).ToArray();
        var now = live.Select(b => b.clone()).ToArray();
        for (var i = 0; i < live.Length; i++) live[i].copy_(tensors[frame.State[i]]);
        return new StateScope(live, now);
    }

    private bool IsNext(int place, Bijection layer, Bijection? before) =>
        place >= 0 && place < frames.Count && ReferenceEquals(frames[place].Layer, layer) && ReferenceEquals(frames[place].Before, before);

    private static InvalidOperationException Changed(Bijection layer) =>
        new($"{layer.GetName()} was not the layer that ran here before: a flow must not change between the loss and its backward pass.");

    private int Add(Tensor tensor)
    {
        tensors.Add(tensor.MoveToOtherDisposeScope(home!));
        return tensors.Count - 1;
    }

    // the library's own modules keep nothing that a pass changes, or write it on the tape themselves
    private static IEnumerable<Tensor> State(TapeFrame frame) =>
        frame.Before is { } before ? State(before).Concat(State(frame.Layer)) : State(frame.Layer);

    private static IEnumerable<Tensor> State(Bijection layer) => stateful
        .GetValue(layer, static l => [.. l.modules().Append(l).Where(m => m.GetType().Assembly != typeof(LayerTape).Assembly
            && m.named_buffers(recurse: false).Any())])
        .SelectMany(m => m.named_buffers(recurse: false)).Select(b => b.buffer);

    private Scope Enter(Mode now, int start)
    {
        var scope = new Scope(this, PassState.OnTape(this), mode);
        (mode, next, open) = (now, start, null);
        foreach (var frame in frames) frame.Rewind();
        return scope;
    }

    internal readonly struct Scope(LayerTape tape, PassState.Scope pass, Mode before) : IDisposable
    {
        public void Dispose()
        {
            pass.Dispose();
            (tape.mode, tape.open, tape.next) = (before, null, tape.frames.Count);
            foreach (var frame in tape.frames) frame.Rewind();
        }
    }

    internal sealed class StateScope(Tensor[] live, Tensor[] values) : IDisposable
    {
        public void Dispose()
        {
            using var _ = no_grad();
            for (var i = 0; i < live.Length; i++) live[i].copy_(values[i]);
        }
    }
}
