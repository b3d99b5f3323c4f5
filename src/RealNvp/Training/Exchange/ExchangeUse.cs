namespace RealNvp;

/// <summary>One training at a time has an exchange: what two would say at once, in an order that chance decides on each process, would be
/// added up across them.</summary>
internal sealed class ExchangeUse : IDisposable
{
    private static readonly HashSet<IGradientExchange> used = new(ReferenceEqualityComparer.Instance);

    private readonly IGradientExchange exchange;

    /// <exception cref="InvalidOperationException">Another training has it.</exception>
    public ExchangeUse(IGradientExchange exchange)
    {
        this.exchange = exchange;
        lock (used)
            if (!used.Add(exchange))
                throw new InvalidOperationException(
                    $"Another training of this process uses the same {nameof(Trainer.Exchange)} now. Train one flow after another: wait " +
                    $"until {nameof(Trainer.Fit)} has returned, or the task of {nameof(Trainer.FitAsync)} has ended.");
    }

    public void Dispose()
    {
        lock (used) used.Remove(exchange);
    }
}
