using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Fits the parts of a flow that take numbers from data (<see cref="IFitsData"/>), one after the
/// other in the order in which data meet them, each with the data as they arrive there. It looks at
/// what runs, not at what a composition is made of, so it finds layers in anybody's composites.
/// </summary>
internal sealed class LayerFitting
{
    private readonly Flow flow;
    private readonly TrainingData data;
    private readonly string owner;
    private readonly CancellationToken cancellation;
    // who has other examples; null if these are all
    private readonly ProcessGroup? group;
    private readonly HashSet<IFitsData> open;
    private readonly List<string> findings = [];
    private bool looked;

    private LayerFitting(Flow flow, TrainingData data, string owner, HashSet<IFitsData> open, ProcessGroup? group,
        CancellationToken cancellation) =>
        (this.flow, this.data, this.owner, this.open, this.group, this.cancellation) = (flow, data, owner, open, group, cancellation);

    /// <summary>Fits what is not fitted yet, or all of it. Where data are refused, or the call is cancelled, nothing has changed.</summary>
    /// <returns>What the user should know: parts that data did not reach.</returns>
    public static IReadOnlyList<string> Fit(Flow flow, TrainingData data, bool again, string owner, ProcessGroup? group,
        CancellationToken cancellation)
    {
        var open = new HashSet<IFitsData>(flow.modules().OfType<IFitsData>().Where(l => again || !l.IsFitted),
            ReferenceEqualityComparer.Instance);
        if (open.Count == 0) return [];
        using var before = new Rollback(open.Cast<nn.Module>());
        using var mode = EvaluationGate.Evaluate(flow);
        using var _ = no_grad();
        var result = new LayerFitting(flow, data, owner, open, group, cancellation).FitAll();
        before.Keep();
        return result;
    }

    /// <summary>Fits the context encoder of a flow to contexts without examples, if it takes
    /// numbers from them and has none yet. Where they are refused, nothing has changed.</summary>
    public static void FitContexts(Flow flow, TrainingData contexts, ProcessGroup? group)
    {
        if (flow.ContextEncoder is not IFitsData { IsFitted: false } encoder) return;
        using var before = new Rollback([(nn.Module)encoder]);
        using var mode = EvaluationGate.Evaluate(flow);
        using var _ = no_grad();
        IEnumerable<Tensor> All()
        {
            foreach (var batch in contexts.InOrder())
                using (batch)
                    if (batch.Context is { } context)
                        using (var given = flow.ToWeights(context).alias()) yield return given;
        }
        Fit(encoder, All(), group);
        before.Keep();
    }

    /// <summary>Parts of modules that take numbers from data and have none yet, by name.</summary>
    public static IEnumerable<string> Unfitted(TrainedModules modules, bool ofFlow) =>
        modules.Others.Select(o => (o.Name, o.Module)).Concat(ofFlow ? [("the flow", (nn.Module)modules.Flow)] : [])
            .SelectMany(m => m.Module.named_modules().Append(("", m.Module)).Where(p => p.Item2 is IFitsData { IsFitted: false })
                .Select(p => $"{p.Item1} ({p.Item2.GetName()}) of {m.Name}"));

    private List<string> FitAll()
    {
        if (flow.ContextEncoder is IFitsData encoder && open.Remove(encoder)) Fit(encoder, Examples().Select(e => e.Context!));
        while (open.Count > 0)
        {
            using var arrivals = new Arrivals(this);
            if (arrivals.Target is not { } layer) break;
            open.Remove(layer);
            Fit(layer, arrivals);
            // a composite may have fitted its own parts
            open.RemoveWhere(l => l.IsFitted);
        }
        var names = flow.named_modules().ToDictionary(m => m.module, m => m.name,
            (IEqualityComparer<nn.Module>)ReferenceEqualityComparer.Instance);
        return [.. findings,
            .. open.Cast<nn.Module>()
            .Select(m =>
            $"{names.GetValueOrDefault(m, "the flow")} ({m.GetName()}) is not fitted to data: they reach it in no forward pass of it. " +
            $"It stays as it is; fit it by hand if it should be.")];
    }

    private static void Fit(IFitsData part, IEnumerable<Tensor> batches, ProcessGroup? group)
    {
        if (part is IFitsParts parts) parts.Fit(batches, group);
        else part.Fit(batches);
    }

    private void Fit(IFitsData layer, IEnumerable<Tensor> batches)
    {
        Fit(layer, batches, group);
        if (!layer.IsFitted)
            throw new InvalidOperationException(
                $"{((nn.Module)layer).GetName()} says that it is not fitted after {nameof(IFitsData.Fit)}. Let " +
                $"{nameof(IFitsData.IsFitted)} be true from then on, also after loading: keep it in a buffer.");
    }

    // the examples in their order, on the device of the weights; each is disposed when the next one is asked for
    private IEnumerable<(Tensor X, Tensor? Context)> Examples()
    {
        // the data of a loader are looked over as they come by for the first time; those in tensors the trainer looks over
        using var scan = looked || data.Whole is not null ? null : DataScan.OfColumns(flow);
        looked = true;
        long count = 0;
        foreach (var (x, context) in data.InOrder())
        {
            using (x)
            using (context)
            {
                cancellation.ThrowIfCancellationRequested();
                flow.CheckData(x, context, owner);
                scan?.Add(x);
                var (input, given) = OnDevice(x, context);
                using (input)
                using (given)
                    yield return (input, given);
            }
            count++;
        }
        if (count == 0)
            throw new ArgumentException(
                $"{owner}: the data loader gave no batch. Pass a sequence that can be enumerated again, for the pass that fits layers " +
                $"to the data and for each epoch; or fit them with a tensor of examples first: " +
                $"{nameof(Trainer)}.{nameof(Trainer.FitLayers)}.", nameof(data));
        if (scan is not null) findings.AddRange(scan.Findings(group));
    }

    private (Tensor, Tensor?) OnDevice(Tensor x, Tensor? context)
    {
        using var scope = NewDisposeScope();
        return (scope.Detach(flow.ToWeights(x).alias()), context is null ? null : scope.Detach(flow.ToWeights(context).alias()));
    }

    // runs the flow up to the first layer that is wanted, and gives what arrives there
    private (IFitsData? Layer, Tensor? Input) Pass(Tensor x, Tensor? context, Func<IFitsData, bool> wanted)
    {
        using var watch = PassState.BeforeEach((layer, input, inverse) =>
        {
            if (!inverse && layer is IFitsData fits && wanted(fits)) throw new Arrival(fits, input.alias().DetachFromDisposeScope());
        });
        try { flow.PassForward(x, context, owner); }
        catch (Arrival arrival) { return (arrival.Layer, arrival.Input); }
        return (null, null);
    }

    /// <summary>
    /// What arrives at the first layer that is not fitted, in the order of a pass. To find it takes the first batch,
    /// with which the first enumeration then begins: a data loader is asked no more often than the layer asks.
    /// </summary>
    private sealed class Arrivals : IEnumerable<Tensor>, IDisposable
    {
        private readonly LayerFitting fitting;
        private IEnumerator<(Tensor X, Tensor? Context)>? begun;
        private Tensor? first;

        public Arrivals(LayerFitting fitting)
        {
            this.fitting = fitting;
            begun = fitting.Examples().GetEnumerator();
            if (begun.MoveNext()) (Target, first) = fitting.Pass(begun.Current.X, begun.Current.Context, fitting.open.Contains);
        }

        /// <summary>The layer; null if a pass meets none.</summary>
        public IFitsData? Target { get; }

        public IEnumerator<Tensor> GetEnumerator()
        {
            var (examples, input) = (begun ?? fitting.Examples().GetEnumerator(), first);
            (begun, first) = (null, null);
            using (examples)
                while (input is not null || examples.MoveNext())
                {
                    input ??= fitting.Pass(examples.Current.X, examples.Current.Context, l => ReferenceEquals(l, Target)).Input;
                    if (input is null) continue;
                    using (input) yield return input;
                    input = null;
                }
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

        public void Dispose()
        {
            first?.Dispose();
            begun?.Dispose();
        }
    }

    // leaves the layers behind the one that is looked for alone: they may be slow, or not ready to run
    private sealed class Arrival(IFitsData layer, Tensor input) : Exception
    {
        public IFitsData Layer => layer;

        public Tensor Input => input;
    }

    /// <summary>Puts the state of modules back on dispose, unless it is to be kept.</summary>
    private sealed class Rollback(IEnumerable<nn.Module> modules) : IDisposable
    {
        private readonly (nn.Module Module, StateSnapshot State)[] before =
            [.. modules.Select(m => (m, new StateSnapshot(m.state_dict())))];
        private bool keep;

        public void Keep() => keep = true;

        public void Dispose()
        {
            foreach (var (module, state) in before)
                using (state)
                    if (!keep) state.CopyTo(module);
        }
    }
}
