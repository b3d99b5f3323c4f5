using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The result of a solve. Dispose it, or its <see cref="Value"/>.</summary>
public sealed class OdeSolution : IDisposable
{
    internal OdeSolution(Tensor value, OdeStatistics statistics) => (Value, Statistics) = (value, statistics);

    /// <summary>y at the end (N, ...), or at all times that were asked for (T, N, ...). The caller owns it.</summary>
    public Tensor Value { get; }

    /// <summary>What the solve took.</summary>
    public OdeStatistics Statistics { get; }

    /// <summary>Disposes <see cref="Value"/>.</summary>
    public void Dispose() => Value.Dispose();
}
