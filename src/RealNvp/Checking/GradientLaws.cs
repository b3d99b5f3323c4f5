using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Gradients of parameters, input and context: there, finite, and equal to finite differences.</summary>
internal sealed class GradientLaws(Subject subject, Recorder recorder) : Laws(subject, recorder)
{
    /// <summary>Gradients of float64 by mode and name, for float32 to be held against.</summary>
    private readonly Dictionary<string, double[]> reference = [];

    public void Check(Probe probe)
    {
        if (!probe.Ordinary) CheckFinite(probe);
        else
        {
            CheckMode(probe, training: false);
            if (!probe.Inverse && Layer.MixesBatchInTraining) InTraining(() => CheckMode(probe, training: true));
        }
    }

    private void CheckFinite(Probe probe) => Recorder.Run(FlowLaw.ParameterGradients, probe.Name, () =>
    {
        var trial = new Trial(this, probe);
        trial.Backward();
        foreach (var (name, parameter) in Layer.named_parameters())
            if (parameter.grad is { } gradient) RequireFinite(FlowLaw.ParameterGradients, probe.Name, name, gradient);
        if (trial.Input.grad is { } g) RequireFinite(FlowLaw.InputGradients, probe.Name, "the input", g);
        Layer.zero_grad();
    });

    private void CheckMode(Probe probe, bool training)
    {
        var where = training ? $"{probe.Name}, in training" : probe.Name;
        using var scope = NewDisposeScope();
        Trial? trial = null;
        Recorder.Run(FlowLaw.InputGradients, where, () =>
        {
            trial = new Trial(this, probe);
            trial.Keep();
            trial.Backward();
            CheckTensor(FlowLaw.InputGradients, where, "the input", trial, trial.Input, trial.Input.grad);
            if (trial.Context is { } context) CheckTensor(FlowLaw.InputGradients, where, "the context", trial, context, context.grad);
        });
        if (trial is null) return;
        foreach (var (name, parameter) in Layer.named_parameters())
        {
            if (!parameter.requires_grad) continue;
            Recorder.Run(FlowLaw.ParameterGradients, where, () => CheckTensor(FlowLaw.ParameterGradients, where, name, trial, parameter,
                parameter.grad));
        }
        Layer.zero_grad();
    }

    private void CheckTensor(FlowLaw law, string where, string name, Trial trial, Tensor tensor, Tensor? gradient)
    {
        var at = $"{where}, {name}";
        if (gradient is null) { Recorder.Require(law, at, false, $"{name} gets no gradient from value and log-det."); return; }
        if (!RequireFinite(law, where, name, gradient)) return;
        if (Subject.Dtype == float64) { reference[at] = Numbers(gradient); CheckDifferences(law, at, trial, tensor, gradient); }
        // noise and what training draws, such as flips, differ between dtypes
        else if (!Layer.IsStochastic && !Layer.training && reference.TryGetValue(at, out var expected))
            CheckAgainst(law, at, gradient, expected);
    }

    private void CheckDifferences(FlowLaw law, string at, Trial trial, Tensor tensor, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var generator = RandomSource.New(Subject.Options.Seed);
        var direction = Noise.Normal(tensor.shape, ScalarType.Float64, CPU, generator).to(tensor.device);
        var original = tensor.detach().clone();
        var found = gradient.mul(direction).sum().Fetch<double>();
        double expected, error;
        try
        {
            (expected, error) = Derivatives.Directional(t =>
            {
                tensor.copy_(original.add(direction, Scalars.Of(t)));
                return trial.Loss();
            }, trial.Scale, found, Tolerance * trial.Scale);
        }
        finally { tensor.copy_(original); }
        // a loss of magnitude S is known to S ε, and its differences over a step to ten times the tolerance of values
        var tolerance = (10 * Tolerance * Math.Max(trial.Scale, Math.Abs(expected))) + Math.Min(2 * error, 1e-3 * trial.Scale);
        Recorder.Compare(law, at, Math.Abs(found - expected), tolerance,
            FormattableString.Invariant(
                $"Along a random direction the gradient gives {found:G9}, and finite differences give {expected:G9}."));
    }

    private void CheckAgainst(FlowLaw law, string at, Tensor gradient, double[] expected)
    {
        using var scope = NewDisposeScope();
        var found = Numbers(gradient);
        var norm = Math.Sqrt(expected.Sum(e => e * e));
        var error = Math.Sqrt(found.Zip(expected, (f, e) => (f - e) * (f - e)).Sum());
        Recorder.Compare(law, at, error, 100 * Tolerance * Math.Max(1, norm),
            FormattableString.Invariant($"The gradient differs from that of float64, whose norm is {norm:G6}."));
    }

    private bool RequireFinite(FlowLaw law, string where, string name, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var finite = gradient.isfinite().all().Fetch<bool>();
        Recorder.Require(law, $"{where}, {name}", finite, $"The gradient of {name} has values that are NaN or infinite.");
        return finite;
    }

    private static double[] Numbers(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.FetchDoubles();
    }

    /// <summary>The loss Σ w ⊙ value + Σ v ⊙ log-det with random w and v, of one probe, always from the same buffers.</summary>
    private sealed class Trial
    {
        private readonly GradientLaws laws;
        private readonly bool inverse;
        private readonly Dictionary<string, Tensor>? state;
        private readonly Tensor w, v;

        public Trial(GradientLaws laws, Probe probe)
        {
            this.laws = laws;
            inverse = probe.Inverse;
            Input = laws.Cast(probe.Input).clone().requires_grad_(true);
            Context = probe.Context is { } c ? laws.Cast(c).clone().requires_grad_(true) : null;
            if (laws.Layer.training) state = laws.Subject.Snapshot();
            using var generator = RandomSource.New(laws.Subject.Options.Seed);
            var value = Run().Value;
            w = laws.Cast(Noise.Normal(value.shape, ScalarType.Float64, CPU, generator));
            v = laws.Cast(Noise.Normal([value.shape[0]], ScalarType.Float64, CPU, generator));
        }

        public Tensor Input { get; }

        public Tensor? Context { get; }

        /// <summary>The sum of the magnitudes of the loss's terms, at least 1.</summary>
        public double Scale { get; private set; }

        public void Backward()
        {
            laws.Layer.zero_grad();
            var (value, logDet) = Run();
            Scale = Math.Max(1, value.detach().mul(w).abs().sum().add(logDet.detach().mul(v).abs().sum(), Scalars.One).to(float64)
                .Fetch<double>());
            var loss = value.mul(w).sum().add(logDet.mul(v).sum(), Scalars.One);
            if (loss.requires_grad) loss.backward();
        }

        public double Loss()
        {
            using var scope = NewDisposeScope();
            var (value, logDet) = Run();
            return value.mul(w).sum().add(logDet.mul(v).sum(), Scalars.One).Fetch<double>();
        }

        public void Keep()
        {
            foreach (var tensor in new[] { Input, Context, w, v }.Concat(state?.Values.AsEnumerable() ?? []))
                tensor?.MoveToOuterDisposeScope();
        }

        private (Tensor Value, Tensor LogDet) Run()
        {
            if (state is not null) laws.Subject.Restore(state, buffersOnly: true);
            return laws.Subject.Run(Input, Context, inverse);
        }
    }
}
