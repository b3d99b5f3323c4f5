using static TorchSharp.torch;

namespace RealNvp.Samples.Posterior;

/// <summary>A Bayesian model whose posterior a flow is to learn, and whose exact answers are known from elsewhere.</summary>
/// <remarks>The flow sees u: the parameters less their prior means, in prior
/// standard deviations. The prior of u is a standard normal.</remarks>
public interface IPosterior
{
    /// <summary>What the model is.</summary>
    string Title { get; }

    /// <summary>The names of the parameters.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>The prior mean and standard deviation of each parameter.</summary>
    IReadOnlyList<(double Mean, double Deviation)> Prior { get; }

    /// <summary>log p(data, u): shape (N, D) to (N), in nats. It integrates to the evidence.</summary>
    Tensor LogDensity(Tensor u);

    /// <summary>The exact log evidence, and the posterior mean and standard deviation of each parameter.</summary>
    Answers Exact { get; }
}
