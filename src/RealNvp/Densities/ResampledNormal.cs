using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A standard normal whose draws are accepted with a learned probability a(z), at most T of them: a base that
/// can have holes and several modes (Bauer and Mnih, arXiv 1810.11428; Stimper, Schölkopf and Hernández-Lobato,
/// arXiv 2110.15828): p(z) = N(z) [(1 − α) a(z)/Z + α] with α = (1 − Z)^(T−1) and Z = E_N[a(z)].
/// </summary>
/// <remarks>
/// <para>Z is estimated: in training from <see cref="NormalizerSamples"/> normal draws in each
/// step, as a running average that stays in the state; in evaluation that number is used. Call
/// <see cref="EstimateNormalizer"/> after training: the log-density is as exact as Z is.</para>
/// <para>a(z) = σ(network(z)); a new one has a = ½ everywhere and so is the standard normal. Samples have no gradients. State-dict keys:
/// <c>network.*</c>, <c>normalizer</c>, a number.</para>
/// </remarks>
public sealed partial class ResampledNormal : Density, IStateLaws
{
    private static readonly Scalar least = Scalars.Of(1e-6), most = Scalars.Of(1 - 1e-6), past = Scalars.Of(0.95),
        present = Scalars.Of(0.05);
    private readonly nn.Module<Tensor, Tensor?, Tensor> network;
    private readonly Tensor normalizer;
    private readonly Scalar halfLogTwoPiD, triesLessOne;

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent.</param>
    /// <param name="hidden">The hidden features of the network of a(z).</param>
    /// <param name="blocks">Its residual blocks.</param>
    /// <param name="tries">T, the largest number of draws for one latent, at least 1; the last is taken in any case.</param>
    /// <param name="normalizerSamples">The normal draws for Z in each training step, at least 1.</param>
    public ResampledNormal(EventShape shape, long hidden = 128, int blocks = 1, int tries = 100, int normalizerSamples = 1024)
        : base(nameof(ResampledNormal), shape)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(normalizerSamples, 1);
        (Tries, NormalizerSamples) = (tries, normalizerSamples);
        (halfLogTwoPiD, triesLessOne) = (Scalars.Of(0.5 * shape.NumElements * Math.Log(2 * Math.PI)), Scalars.Of(tries - 1.0));
        network = new ResidualMlp(shape.NumElements, 1, hidden, blocks);
        Weights.Pay(1, 1);
        using var scope = NewDisposeScope();
        normalizer = Weights.Buffer(full([], Scalars.Of(0.5f)));
        RegisterComponents();
    }

    /// <summary>T, the largest number of draws for one latent.</summary>
    public int Tries { get; }

    /// <summary>The normal draws for Z in each training step.</summary>
    public int NormalizerSamples { get; }

    /// <summary>Z, the mean probability of acceptance, as estimated last.</summary>
    public double Normalizer => normalizer.to(float64).Fetch<double>();

    /// <inheritdoc/>
    /// <remarks>As exact as <see cref="Normalizer"/> is.</remarks>
    public override Likelihood Likelihood => Tries == 1 ? Likelihood.Exact : Likelihood.Numerical(null);

    /// <inheritdoc/>
    public string? FaultIn(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return BufferLaws.Within(state, nameof(normalizer), 0, 1.001);
    }

    /// <summary>Estimates Z from fresh draws, and keeps it in the state.</summary>
    /// <param name="samples">The number of normal draws; the standard error of Z is below ½/√samples.</param>
    /// <param name="seed">Makes the estimate repeatable; null draws from torch's generator.</param>
    /// <returns>Z.</returns>
    public double EstimateNormalizer(long samples = 200_000, long? seed = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, 1);
        const long most = 16384;
        using var gradients = no_grad();
        using var random = PassState.Seed(seed);
        double sum = 0;
        for (long done = 0; done < samples; done += most)
        {
            using var scope = NewDisposeScope();
            sum += Acceptance(Math.Min(most, samples - done)).to(float64).sum().Fetch<double>();
        }
        using (NewDisposeScope()) normalizer.fill_(Scalars.Of(sum / samples));
        return sum / samples;
    }

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var flat = z.flatten(1);
        var normal = Gaussian.MinusHalfSquare(flat).sum(1).sub(halfLogTwoPiD);
        if (Tries == 1) return scope.MoveToOuter(normal);
        var total = (training ? TrainingNormalizer() : normalizer.detach()).clamp(least, most);
        var logAlpha = total.neg().log1p().mul(triesLessOne);
        var accepted = nn.functional.logsigmoid(network.call(flat, null).squeeze(1)).add(logAlpha.exp().neg().log1p(),
            Scalars.One).sub(total.log());
        return scope.MoveToOuter(normal.add(accepted.logaddexp(logAlpha), Scalars.One));
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var z = Normals(count, 1, dtype, device, generator);
        var open = Scalars.Range(count, device);
        for (var t = 1; t < Tries && open.numel() > 0; t++)
        {
            using var step = NewDisposeScope();
            var chance = network.call(z.index_select(0, open), null).squeeze(1).sigmoid();
            var rejected = Noise.Uniform([open.shape[0]], dtype, device, generator).ge(chance);
            var next = open.masked_select(rejected);
            if (next.numel() > 0) z.index_copy_(0, next, Normals(next.shape[0], 1, dtype, device, generator));
            open = step.MoveToOuter(next);
        }
        if (temperature != 1) z = z.mul(Scalars.Of(temperature));
        return scope.MoveToOuter(z.reshape(Shape.WithBatch(count)));
    }

    // the value of the running average, with the gradient of this step's estimate
    private Tensor TrainingNormalizer()
    {
        var now = Acceptance(NormalizerSamples).mean();
        using (no_grad()) normalizer.copy_(normalizer.mul(past).add(now.detach().mul(present), Scalars.One));
        return normalizer.clone().add(now.sub(now.detach()), Scalars.One);
    }

    private Tensor Acceptance(long count)
    {
        Tensor proposals;
        // they are no rows of a batch, and the same for all who share one
        using (RowShare.Pause()) proposals = Normals(count, 1, normalizer.dtype, normalizer.device, PassState.Current?.Generator);
        return network.call(proposals, null).squeeze(1).sigmoid();
    }
}
