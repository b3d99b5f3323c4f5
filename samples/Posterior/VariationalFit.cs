using System.Globalization;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Posterior;

/// <summary>Fits a flow to a posterior by the reverse divergence, and reads the answers off its samples.</summary>
/// <param name="Steps">The number of training steps, a multiple of 50.</param>
/// <param name="BatchSize">The samples of the flow in each step.</param>
/// <param name="Draws">The samples for evidence, means and deviations.</param>
/// <param name="Gradient">How gradients are estimated.</param>
/// <param name="Seed">Seeds weights and noise.</param>
public sealed record VariationalFit(int Steps, int BatchSize, int Draws, GradientEstimator Gradient, int Seed)
{
    private const int StepsPerEpoch = 50;

    /// <summary>Trains a new flow. The caller disposes it.</summary>
    /// <param name="posterior">The posterior.</param>
    /// <param name="label">What the progress bar shows.</param>
    /// <param name="device">Where the flow lives.</param>
    public RealNvpModel Train(IPosterior posterior, string label, Device device)
    {
        var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Shape = [posterior.Names.Count], Layers = 6, Hidden = 32 }, Seed);
        flow.to(device);
        var options = new TrainingOptions
        {
            Epochs = Steps / StepsPerEpoch,
            LearningRate = 5e-3,
            Schedule = new CosineSchedule { WarmUpSteps = Math.Min(20, Steps / 4), Floor = 0.01 },
            MaxGradientNorm = 20,
            WeightNormDecay = 0,
            // the schedule comes down to its end, so the last weights are the best ones
            AverageDecay = null,
            Seed = Seed,
        };
        using var trainer = new Trainer(flow, Objective.ReverseKl(posterior.LogDensity, BatchSize, Gradient), options);
        using var bar = new ProgressBar(label, Steps, "steps");
        trainer.Fit(TrainingData.None(StepsPerEpoch), progress: new Shown(bar));
        return flow;
    }

    /// <summary>Estimates the evidence by importance sampling.</summary>
    public ImportanceEstimate Estimate(Flow flow, IPosterior posterior) =>
        ImportanceSampling.Estimate(flow, posterior.LogDensity, Draws, seed: Stream(Steps));

    /// <summary>Samples of the posterior in prior units, (Draws, D), of equal weight. The caller disposes them.</summary>
    public Tensor Samples(Flow flow, IPosterior posterior)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (u, logProb) = flow.SampleAndLogProb(Draws, seed: Stream(Steps + 1));
        return scope.MoveToOuter(ImportanceSampling.Resample(u, posterior.LogDensity(u).sub(logProb), Draws, seed: Stream(Steps + 2)));
    }

    /// <summary>Posterior means and standard deviations in the parameters' own units.</summary>
    public static Answers Summarize(Tensor samples, IPosterior posterior, double logEvidence)
    {
        using var scope = NewDisposeScope();
        var u = samples.to(float64).cpu();
        var (means, deviations) = (u.mean([0]).data<double>().ToArray(), u.std(0).data<double>().ToArray());
        return new Answers(logEvidence,
            [.. posterior.Prior.Select((p, i) => p.Mean + (p.Deviation * means[i]))],
            [.. posterior.Prior.Select((p, i) => p.Deviation * deviations[i])]);
    }

    // a seed of its own for every step of every run
    private long Stream(int number) => ((long)Seed << 32) + number;

    // the loss is minus a bound of the log evidence
    private sealed class Shown(ProgressBar bar) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) =>
            bar.Report(value.Step, string.Create(CultureInfo.InvariantCulture, $"log evidence >= {-value.Loss:F3}"));
    }
}
