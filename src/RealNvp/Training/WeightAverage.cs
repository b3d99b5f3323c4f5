using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>An exponential moving average of a module's parameters and floating-point buffers (such as running statistics).</summary>
/// <remarks>
/// <para>average = average + (1 - d) (value - average), where d is the decay of this update. Averaged weights usually sample and score
/// better than those of the last step. Integer and bool buffers are not averaged: they stay the module's.</para>
/// <para>Call <see cref="Update"/> after each optimizer step. Contiguous float32 and float64 tensors on the CPU take one pass over memory;
/// half-precision ones are averaged in float32.</para>
/// <para>Move the module to its device and dtype first: Module.to() replaces its tensors, and the methods then throw.
/// Not safe for concurrent use. The caller disposes it; the module stays as it is.</para>
/// </remarks>
public sealed class WeightAverage : IDisposable
{
    private const string UpdatesKey = "updates", Prefix = "average.";
    private readonly Func<IEnumerable<(string Name, Tensor Value)>> values;
    private readonly List<AverageSlot> slots = [];
    private bool disposed;

    /// <summary>Starts an average at the module's present values.</summary>
    /// <param name="module">The module, already on its device.</param>
    /// <param name="decay">The share of the old average that an update keeps; from 0 to below 1, usually 0.99 to 0.9999.</param>
    /// <param name="warmUp">
    /// With true, update t (from 0) uses the smaller of <paramref name="decay"/> and (1 + t) / (10 + t): early updates then forget the
    /// random start quickly.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="decay"/> is outside its range.</exception>
    public WeightAverage(nn.Module module, double decay = 0.999, bool warmUp = true) : this(module, decay, warmUp, allowFused: true) { }

    internal WeightAverage(nn.Module module, double decay, bool warmUp, bool allowFused)
        : this(ValuesOf(module), decay, warmUp, allowFused) { }

    /// <summary>As the public one, of all that a trainer trains.</summary>
    internal WeightAverage(TrainedModules modules, double decay, bool warmUp, bool allowFused)
        : this(() => modules.Parameters.Select(p => (p.Name, (Tensor)p.Parameter)).Concat(modules.Buffers), decay, warmUp, allowFused) { }

    private WeightAverage(Func<IEnumerable<(string Name, Tensor Value)>> values, double decay, bool warmUp, bool allowFused)
    {
        this.values = values;
        Decay = Require.FromZeroToBelowOne(decay, nameof(decay));
        WarmUp = warmUp;
        using var noGrad = no_grad();
        foreach (var (name, value) in Averaged()) slots.Add(new AverageSlot(name, value, allowFused));
        UsesLists = slots.TrueForAll(slot => !slot.Fused && slot.Value.device_type == DeviceType.CUDA);
    }

    /// <summary>The decay after the warm-up.</summary>
    public double Decay { get; }

    /// <summary>True if early updates use a smaller decay.</summary>
    public bool WarmUp { get; }

    /// <summary>The number of updates so far.</summary>
    public long Updates { get; private set; }

    /// <summary>True while the module holds the averaged values, between <see cref="Apply"/> and the disposal of its result.</summary>
    public bool IsApplied { get; private set; }

    /// <summary>Takes the module's present values into the average.</summary>
    /// <exception cref="InvalidOperationException">The average is applied, or the module was moved or disposed.</exception>
    /// <exception cref="ObjectDisposedException">This average is disposed.</exception>
    public void Update() => EndUpdate(BeginUpdate());

    /// <summary>Checks what <see cref="Update"/> checks; the share of the new
    /// values in this update. Follow it by <see cref="EndUpdate"/>.</summary>
    internal double BeginUpdate()
    {
        CheckNotApplied("update the average");
        foreach (var slot in slots) slot.CheckAlive();
        return 1 - (WarmUp ? Math.Min(Decay, (1.0 + Updates) / (10.0 + Updates)) : Decay);
    }

    /// <summary>Updates the slots that nobody else has updated since <see cref="BeginUpdate"/>, and counts the update.</summary>
    /// <remarks>With a gate that is closed nothing changes; what the module
    /// holds beside its parameters must then be finite again.</remarks>
    internal void EndUpdate(double share, StepGate? gate = null)
    {
        if (!TryLists(share, gate))
            foreach (var slot in slots) slot.Update(share, gate);
        Updates++;
    }

    /// <summary>Whether the average goes by lists of tensors, a few calls for all of them: if all are on a GPU.</summary>
    internal bool UsesLists { get; set; }

    // false if this build of libtorch refuses it, which it does before any change
    private bool TryLists(double share, StepGate? gate)
    {
        if (!UsesLists) return false;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        AverageSlot[]? done = null;
        foreach (var group in slots.GroupBy(slot => (slot.Average.dtype, slot.Average.device_index)))
        {
            AverageSlot[] members = [.. group];
            try { AdamScript.Average(Array.ConvertAll(members, slot => slot.Average),
                Array.ConvertAll(members, slot => slot.Value.detach().to(slot.Average.dtype)), share, gate); }
            catch (System.Runtime.InteropServices.ExternalException) when (done is null) { return UsesLists = false; }
            done = members;
        }
        return true;
    }

    /// <summary>Begins anew at the module's present values, for those that were set
    /// at once and not learned: an average of both would be neither.</summary>
    internal void Restart()
    {
        CheckNotApplied("begin anew");
        using var noGrad = no_grad();
        foreach (var slot in slots)
        {
            slot.CheckAlive();
            slot.Average.copy_(slot.Value);
        }
        Updates = 0;
    }

    /// <summary>Forgets updates that a closed gate did not let through.</summary>
    internal void TakeBack(long updates) => Updates = updates;

    /// <summary>The slot of a parameter where a fused pass can update it, else null.</summary>
    internal AverageSlot? FusedSlot(Tensor parameter) => slots.Find(slot => slot.Fused && slot.Value.Handle == parameter.Handle);

    /// <summary>Puts the averaged values into the module until the result
    /// is disposed, which puts the raw values back bit for bit.</summary>
    /// <returns>An object whose <c>Dispose</c> undoes this: <c>using (average.Apply()) { ... }</c>.</returns>
    /// <remarks>
    /// Do not train meanwhile: what is changed in the module's parameters meanwhile is lost or enters the average.
    /// Run it neither between a forward pass and its backward pass nor while another thread uses the module.
    /// </remarks>
    /// <exception cref="InvalidOperationException">It is applied already, or the module was moved or disposed.</exception>
    /// <exception cref="ObjectDisposedException">This average is disposed.</exception>
    public IDisposable Apply()
    {
        CheckNotApplied("apply the average a second time");
        foreach (var slot in slots) slot.CheckAlive();
        if (!Averaged().Select(value => value.Value.Handle).SequenceEqual(slots.Select(slot => slot.Value.Handle)))
            throw new InvalidOperationException(
                "The module has other parameters or buffers than when this average was made. Make the average after the module is built " +
                "and moved.");
        using var noGrad = no_grad();
        foreach (var slot in slots) slot.Apply();
        IsApplied = true;
        return new Application(this);
    }

    /// <summary>A copy of the state, for a checkpoint.</summary>
    /// <returns><c>average.NAME</c> for each parameter and floating-point buffer, and
    /// <c>updates</c> (int64, no dimensions). The caller disposes the tensors.</returns>
    /// <exception cref="InvalidOperationException">The average is applied.</exception>
    /// <exception cref="ObjectDisposedException">This average is disposed.</exception>
    public Dictionary<string, Tensor> StateDict()
    {
        var state = LiveState();
        foreach (var slot in slots) state[Prefix + slot.Name] = slot.Average.clone();
        return state;
    }

    /// <summary>The state with the averages themselves, for a checkpoint: on a GPU there may be no room for a copy.</summary>
    internal Dictionary<string, Tensor> LiveState()
    {
        CheckNotApplied("read the state");
        var state = new Dictionary<string, Tensor>(StringComparer.Ordinal) { [UpdatesKey] = TensorMemory.Int64(Updates) };
        foreach (var slot in slots) state[Prefix + slot.Name] = slot.Average;
        return state;
    }

    /// <summary>Takes over a state that <see cref="StateDict"/> gave.</summary>
    /// <param name="state">The state, on any device. It is copied, not disposed. The decay is not part of it.</param>
    /// <exception cref="ArgumentException">A name, shape or dtype differs, or the count is negative; nothing was changed.</exception>
    /// <exception cref="InvalidOperationException">The average is applied.</exception>
    /// <exception cref="ObjectDisposedException">This average is disposed.</exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        CheckNotApplied("load a state");
        var expected = slots.ToDictionary(slot => Prefix + slot.Name, slot => (slot.Average.shape, slot.Average.dtype),
            StringComparer.Ordinal);
        expected[UpdatesKey] = ([], ScalarType.Int64);
        TensorMemory.CheckState(state, expected, nameof(WeightAverage));
        var updates = state[UpdatesKey].FetchInt64();
        if (updates < 0)
            throw new ArgumentException(
                $"The count '{UpdatesKey}' of the state is {updates}. Load a state that was saved from {nameof(WeightAverage)}.",
                nameof(state));
        using var noGrad = no_grad();
        foreach (var slot in slots) slot.Average.copy_(state[Prefix + slot.Name]);
        Updates = updates;
    }

    /// <summary>Disposes the average; an applied one is first taken out of the module, if that still exists.</summary>
    public void Dispose()
    {
        if (disposed) return;
        if (slots.TrueForAll(slot => !slot.Value.IsInvalid)) Restore();
        disposed = true;
        foreach (var slot in slots) slot.Dispose();
    }

    private void Restore()
    {
        if (!IsApplied) return;
        // Before any change; the average then stays marked as applied, so that nobody reads a mixture.
        foreach (var slot in slots) slot.CheckAlive();
        IsApplied = false;
        using var noGrad = no_grad();
        foreach (var slot in slots) slot.Restore();
    }

    private void CheckNotApplied(string what)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (IsApplied) throw new InvalidOperationException($"Cannot {what} while it is applied. Dispose the result of Apply() first.");
    }

    private static Func<IEnumerable<(string Name, Tensor Value)>> ValuesOf(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return () => module.named_parameters().Select(p => (p.name, (Tensor)p.parameter)).Concat(module.named_buffers());
    }

    private IEnumerable<(string Name, Tensor Value)> Averaged() =>
        values().Where(value => value.Value.dtype is ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64);

    private sealed class Application(WeightAverage owner) : IDisposable
    {
        private WeightAverage? owner = owner;

        public void Dispose()
        {
            owner?.Restore();
            owner = null;
        }
    }
}
