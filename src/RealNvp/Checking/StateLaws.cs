using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>State and surroundings: what is saved, what a call may change, what it leaves behind, and where its tensors are made.</summary>
internal sealed class StateLaws(Subject subject, Recorder recorder, Probes probes) : Laws(subject, recorder)
{
    public void Check(Probe probe)
    {
        Run(FlowLaw.EvaluationKeepsState, probe, () => KeepsState(probe));
        Both(FlowLaw.ModeKept, probe, KeepsMode);
        Both(FlowLaw.InputUntouched, probe, KeepsInput);
        Run(FlowLaw.Repeatable, probe, () => Repeats(probe));
        Both(FlowLaw.NoTensorLeft, probe, LeavesNothing);
        Both(FlowLaw.DeviceFollowsInput, probe, FollowsDevice);
        Both(FlowLaw.DtypeFollowsInput, probe, FollowsDtype);
        if (!probe.Inverse) Run(FlowLaw.StateRoundTrip, probe, () => SavesState(probe));
    }

    private void Run(FlowLaw law, Probe probe, Action check) => Recorder.Run(law, probe.Name, check);

    private void Both(FlowLaw law, Probe probe, Action<Probe, string> check)
    {
        Run(law, probe, () => check(probe, probe.Name));
        Recorder.Run(law, $"{probe.Name}, in training", () => InTraining(() => check(probe, $"{probe.Name}, in training")));
    }

    private void KeepsState(Probe probe)
    {
        var before = Subject.Snapshot();
        var (input, context) = Inputs(probe);
        using (no_grad()) Subject.Run(input, context, probe.Inverse);
        var changed = Subject.FirstChange(before);
        Subject.Restore(before);
        Recorder.Require(FlowLaw.EvaluationKeepsState, probe.Name, changed is null, $"'{changed}' changed.");
    }

    private void KeepsMode(Probe probe, string where)
    {
        var before = Layer.modules().Prepend(Layer).Select(m => (Module: m, m.training)).ToArray();
        var (input, context) = Inputs(probe);
        Subject.Run(input, context, probe.Inverse);
        var changed = before.FirstOrDefault(m => m.Module.training != m.training).Module;
        foreach (var (module, training) in before) if (module.training != training) module.train(training);
        Recorder.Require(FlowLaw.ModeKept, where, changed is null,
            $"{changed?.GetName()} is in {(changed?.training == true ? "training" : "evaluation")} mode after the call.");
    }

    private void KeepsInput(Probe probe, string where)
    {
        var (input, context) = Inputs(probe);
        var (inputBefore, contextBefore) = (input.clone(), context?.clone());
        Subject.Run(input, context, probe.Inverse);
        Recorder.Compare(FlowLaw.InputUntouched, where, Difference(input, inputBefore), 0, "The input changed.");
        if (context is not null)
            Recorder.Compare(FlowLaw.InputUntouched, $"{where}, context", Difference(context, contextBefore!), 0, "The context changed.");
    }

    private void Repeats(Probe probe)
    {
        using var _ = no_grad();
        var (input, context) = Inputs(probe);
        var (one, two) = (Subject.Run(input, context, probe.Inverse), Subject.Run(input, context, probe.Inverse));
        var error = Math.Max(Difference(one.Value, two.Value), Difference(one.LogDet, two.LogDet));
        Recorder.Compare(FlowLaw.Repeatable, probe.Name, error, 0, "Two calls with the same seed differ.");
        if (Layer.IsStochastic) return;
        // a layer that draws from the seed in evaluation without saying so has another result with another seed
        (Tensor Value, Tensor LogDet) other;
        manual_seed(Subject.Options.Seed + 1).Dispose();
        using (PassState.Seed(Subject.Options.Seed + 1))
            other = probe.Inverse ? Layer.Inverse(input, context) : Layer.Forward(input, context);
        error = Math.Max(Difference(one.Value, other.Value), Difference(one.LogDet, other.LogDet));
        Recorder.Compare(FlowLaw.Repeatable, $"{probe.Name}, another seed", error, 0,
            "Another seed gives another result in evaluation, but IsStochastic is false.");
    }

    private void LeavesNothing(Probe probe, string where)
    {
        var (input, context) = Inputs(probe);
        void Call()
        {
            var (value, logDet) = Subject.Run(input, context, probe.Inverse);
            value.Dispose();
            logDet.Dispose();
        }
        foreach (var gradients in new[] { true, false })
        {
            using var mode = set_grad_enabled(gradients);
            // the first call may fill caches
            Call();
            var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            Call();
            var left = DisposeScopeManager.Statistics.ThreadTotalLiveCount - before;
            Recorder.Compare(FlowLaw.NoTensorLeft, gradients ? where : $"{where}, without gradients", Math.Abs(left), 0, left > 0
                ? $"{left} tensor(s) are alive that were not before the call."
                : $"{-left} tensor(s) were disposed that the call had not made.");
        }
    }

    private void FollowsDevice(Probe probe, string where)
    {
        var (input, context) = Inputs(probe);
        var usual = get_default_device();
        (Tensor Value, Tensor LogDet) result;
        // a tensor that is made without a device has no data on this one, and shows
        set_default_device(new Device(DeviceType.META));
        try
        {
            result = Subject.Run(input, context, probe.Inverse);
            if (!probe.Inverse && result.Value.requires_grad && result.Value.device_type == input.device_type)
                result.Value.sum().add(result.LogDet.sum(), Scalars.One).backward();
        }
        finally { set_default_device(usual); }
        Layer.zero_grad();
        var good = result.Value.device_type == input.device_type && result.LogDet.device_type == input.device_type;
        Recorder.Require(FlowLaw.DeviceFollowsInput, where, good,
            $"With a default device other than the input's ({input.device_type}), the value is on {result.Value.device_type} and the " +
            $"log-det on {result.LogDet.device_type}.");
    }

    private void FollowsDtype(Probe probe, string where)
    {
        var (input, context) = Inputs(probe);
        var usual = get_default_dtype();
        (Tensor Value, Tensor LogDet) result;
        set_default_dtype(Subject.Dtype == float32 ? float64 : float32);
        try { result = Subject.Run(input, context, probe.Inverse); }
        finally { set_default_dtype(usual); }
        var good = result.Value.dtype == input.dtype && result.LogDet.dtype == input.dtype;
        Recorder.Require(FlowLaw.DtypeFollowsInput, where, good,
            $"With an input of {input.dtype}, the value is {result.Value.dtype} and the log-det {result.LogDet.dtype}.");
    }

    private void SavesState(Probe probe)
    {
        using var _ = no_grad();
        var (input, context) = Inputs(probe);
        var before = Subject.Snapshot();
        using var saved = new MemoryStream();
        try
        {
            // a training pass first, so that what a layer remembers outside of its state counts
            Train();
            var expected = Subject.Run(input, context, probe.Inverse);
            SafeTensors.Save(saved, Layer.state_dict());
            saved.Position = 0;
            using var file = SafeTensors.Load(saved);
            var state = file.Tensors.ToDictionary(e => e.Key, e => e.Value);

            Subject.Randomize(Subject.Options.Seed + 7, probes.Draw, context?[..1]);
            Train();
            Layer.load_state_dict(state);
            Compare("loaded into the changed layer", expected, Subject.Run(input, context, probe.Inverse));
            if (Subject.Make is not { } make) return;
            using var other = make();
            other.to(Subject.Dtype);
            other.to(Subject.Device);
            other.eval();
            other.load_state_dict(state);
            manual_seed(Subject.Options.Seed).Dispose();
            using var source = PassState.Seed(Subject.Options.Seed);
            Compare("loaded into a new layer", expected, other.Forward(input, context));
        }
        finally { Subject.Restore(before); }

        void Train()
        {
            Layer.train();
            Subject.Run(Cast(probes.Draw(input.shape[0])), context, inverse: false);
            Layer.eval();
        }

        void Compare(string what, (Tensor Value, Tensor LogDet) expected, (Tensor Value, Tensor LogDet) found) =>
            Recorder.Require(FlowLaw.StateRoundTrip, $"{probe.Name}, {what}", Subject.SameBits(found.Value, expected.Value)
                && Subject.SameBits(found.LogDet, expected.LogDet),
                string.Create(CultureInfo.InvariantCulture,
                    $"The result differs by " +
                    $"{Math.Max(Difference(found.Value, expected.Value), Difference(found.LogDet, expected.LogDet)):G3} from the one " +
                    $"before saving."));
    }

    private (Tensor Input, Tensor? Context) Inputs(Probe probe) =>
        (Cast(probe.Input).clone(), probe.Context is null ? null : Cast(probe.Context).clone());
}
