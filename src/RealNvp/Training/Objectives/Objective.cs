using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a <see cref="Trainer"/> makes small: the loss of a batch, and the score by which epochs are compared.</summary>
/// <remarks>
/// <para><see cref="MaximumLikelihood"/> is the default. A loss of your own is a function (<see cref="From"/>) or a class that derives
/// from this one, and has all that the library's have: it may train other modules beside the flow (<see cref="Modules"/>), and
/// everything that a training does (averages, early stopping, checkpoints, the name of the layer at fault) works with it.</para>
/// <para>An objective has no state but that of its <see cref="Modules"/>, and takes all randomness
/// from the seed that it is given, so that a resumed training goes on to the same bit.</para>
/// </remarks>
public abstract class Objective
{
    private static readonly Dictionary<string, nn.Module> noModules = [];

    /// <summary>Begins an objective.</summary>
    protected Objective() { }

    /// <summary>The mean of -log p(x | context) of the data, in nats:
    /// <see cref="Flow.NegativeLogLikelihood"/>. With weights, the weighted mean.</summary>
    public static Objective MaximumLikelihood { get; } = new MaximumLikelihoodObjective();

    /// <summary>The mean of -log p(x | context), and costs of the paths of <see cref="ContinuousLayer"/>s
    /// that keep them short and straight, so that they are solved in few steps (RNODE, arXiv 2002.02798,
    /// equation 7). Validation is by log p(x | context) alone.</summary>
    /// <param name="kineticEnergy">The weight of ∫ |v|² dt, in nats; at least 0. The paper has 0.01.</param>
    /// <param name="jacobianNorm">The weight of ∫ ‖∂v/∂x‖² dt, the squared Frobenius norm; at least 0. The paper has 0.01.</param>
    public static Objective RegularizedLikelihood(double kineticEnergy = 0.01, double jacobianNorm = 0.01) =>
        new PathCostObjective(kineticEnergy, jacobianNorm);

    /// <summary>Fits a flow without contexts to a density that is known up to a factor:
    /// <see cref="VariationalInference.ReverseKl"/>. The data are <see cref="TrainingData.None"/>.</summary>
    /// <param name="logDensity">The logarithm of the density: of points (N, ...) in
    /// the flow's shape, its values (N) in nats, differentiable and finite.</param>
    /// <param name="samples">N, the number of samples of each step; at least 1.</param>
    /// <param name="estimator">How the gradient is estimated.</param>
    public static Objective ReverseKl(Func<Tensor, Tensor> logDensity, long samples, GradientEstimator estimator = GradientEstimator.Path)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        return new ReverseKlObjective((x, _) => logDensity(x), withContext: false, samples, estimator);
    }

    /// <summary>Fits a conditional flow to densities that depend on the context, one for each, as a
    /// posterior does on what was observed. The data are <see cref="TrainingData.FromContexts"/>.</summary>
    /// <param name="logDensity">
    /// The logarithm of the density: of points (K, ...) and the context of each (K, ...), its values (K) in nats,
    /// differentiable and finite. K is the number of contexts of the batch times <paramref name="samples"/>.
    /// </param>
    /// <param name="samples">The number of samples for each context of a batch; at least 1.</param>
    /// <param name="estimator">How the gradient is estimated.</param>
    public static Objective ReverseKl(Func<Tensor, Tensor, Tensor> logDensity, long samples,
        GradientEstimator estimator = GradientEstimator.Path)
    {
        ArgumentNullException.ThrowIfNull(logDensity);
        return new ReverseKlObjective((x, context) => logDensity(x, context!), withContext: true, samples, estimator);
    }

    /// <summary>
    /// Trains a continuous flow without solving its differential equation: flow matching (arXiv 2210.02747),
    /// with paths of rectified flow and others, and pairs of latents and data by optimal transport. The loss is
    /// the mean square, by element, of the difference between the flow's velocity and that of the paths.
    /// </summary>
    /// <remarks>
    /// It is for a flow with one layer that follows a velocity (<see cref="IFollowsVelocity"/>), layers
    /// without weights before it, such as a standardization or a dequantization, and any base density without weights,
    /// or with frozen ones. On circles and on a sphere the paths are the shortest ways.
    /// LogProb of the trained flow is what it is of any continuous flow. The loss is no log-likelihood: ask
    /// <see cref="Flow.Evaluate(TorchSharp.torch.Tensor, TorchSharp.torch.Tensor?, int, long, IProgress{long}?, bool, CancellationToken)"/>
    /// for that.
    /// </remarks>
    /// <param name="options">The paths and pairs; null for straight lines and optimal transport.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static Objective FlowMatching(FlowMatchingOptions? options = null) => new FlowMatchingObjective(options ?? new());

    /// <summary>
    /// Flow matching with the pairs that another flow makes: each example goes with the latent to which the teacher maps it. The
    /// paths of the new flow then cross less, so that one or few steps of a solver are enough for samples (rectified flow,
    /// arXiv 2209.03003, section 2.2: reflow).
    /// </summary>
    /// <remarks>As in the paper, train on samples of the teacher, <c>TrainingData.From(teacher.Sample(50_000))</c>; or on the data
    /// themselves. The teacher solves its equation for each batch. It may be any flow with the same latents.</remarks>
    /// <param name="teacher">The other flow, trained before; the caller's. It is not changed.</param>
    /// <param name="solver">How the teacher solves, such as <c>new OdeOptions { Method = OdeMethod.Rk4, Steps = 20 }</c>;
    /// null for its own way.</param>
    /// <param name="options">The paths; null for straight lines. Its pairing must be null.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the teacher solves nothing.</exception>
    public static Objective Reflow(Flow teacher, OdeOptions? solver = null, FlowMatchingOptions? options = null) =>
        new FlowMatchingObjective(options ?? new(), new TaughtPairs(teacher, solver));

    /// <summary>A loss of your own.</summary>
    /// <param name="name">Its name, with the numbers that belong to it: checkpoints carry it, and <c>Resume</c> compares it.</param>
    /// <param name="loss">The loss of a batch for a flow, with all noise from the seed: see <see cref="Loss"/>.</param>
    /// <param name="modules">What is trained beside the flow: see <see cref="Modules"/>.</param>
    /// <param name="traits">What else is to be known of it; null for the values that <see cref="ObjectiveTraits"/> has by itself.</param>
    public static Objective From(string name, Func<Flow, TrainingBatch, long, Tensor> loss,
        IReadOnlyDictionary<string, nn.Module>? modules = null, ObjectiveTraits? traits = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(loss);
        return new FunctionObjective(name, loss, modules ?? noModules, traits ?? new ObjectiveTraits());
    }

    /// <summary>The name, with the numbers that belong to it, such as <c>ReverseKl(samples: 256)</c>. It stands
    /// in results and checkpoints; a checkpoint of another name is refused by <c>Resume</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What else is to be known of it before training begins.</summary>
    public virtual ObjectiveTraits Traits { get; } = new();

    /// <summary>Modules that are trained beside the flow, by names of your own,
    /// such as an encoder or a second flow. Empty unless overridden.</summary>
    /// <remarks>They must be on the device and in the dtype that they will keep. The caller keeps their ownership.
    /// Their weights and buffers are averaged, restored and written to checkpoints as those of the flow are.</remarks>
    public virtual IReadOnlyDictionary<string, nn.Module> Modules => noModules;

    /// <summary>Whether batches must have examples; if not, they must have none.</summary>
    public bool UsesExamples => Traits.UsesExamples;

    /// <summary>The loss of a batch, with a graph to all weights that it trains.</summary>
    /// <remarks>The flow and the <see cref="Modules"/> are in training mode,
    /// or, for validation, in evaluation mode and without gradients.</remarks>
    /// <param name="flow">The flow of the trainer.</param>
    /// <param name="batch">The batch on the device of the flow. It stays the trainer's.</param>
    /// <param name="seed">Decides all noise. It comes from the seed of the training and the number of the step.</param>
    /// <returns>
    /// Losses (N), one for each example, of which the trainer takes the mean, weighted if there are weights; or a mean of
    /// your own without dimensions, which must take <see cref="TrainingBatch.Weights"/> into account if they are not null.
    /// The caller disposes it. If it is not finite, the step is refused, and the trainer finds the layer at fault.
    /// </returns>
    public abstract Tensor Loss(Flow flow, TrainingBatch batch, long seed);

    /// <summary>Scores validation data: smaller is better. Flow and modules are in evaluation
    /// mode, with averaged weights if there are such, and gradients are off.</summary>
    /// <remarks>Unless overridden, it is the mean of <see cref="Loss"/> over
    /// the batches, each with a seed that is the same in every epoch.</remarks>
    /// <param name="flow">The flow of the trainer.</param>
    /// <param name="data">The validation data.</param>
    /// <param name="batchSize"><see cref="TrainingOptions.BatchSize"/>.</param>
    /// <param name="seed">The seed of the training.</param>
    public virtual ObjectiveScore Validate(Flow flow, TrainingData data, int batchSize, long seed)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(data);
        var score = new ScoreSum(this, flow);
        foreach (var batch in data.Batches(batchSize, 0, 0)) score.Add(ExampleWeights.Counting(batch, "Validation"), seed);
        return score.Total();
    }

    /// <summary>Says why a loss was not finite, if it is none of a layer and none of the data:
    /// what came, and what to do. Null if it does not know, as unless overridden.</summary>
    /// <param name="flow">The flow, with the weights before the step.</param>
    /// <param name="batch">The batch of the step.</param>
    /// <param name="seed">The seed of the step.</param>
    public virtual string? Explain(Flow flow, TrainingBatch batch, long seed) => null;

    /// <inheritdoc/>
    public override string ToString() => Name;
}
