namespace RealNvp.Internal;

/// <summary>Keeps the weights of several flows until disposed: see <see cref="Flow.Held"/>.</summary>
internal sealed class HeldFlows : IDisposable
{
    private readonly List<EvaluationGate.Scope> held = [];

    /// <exception cref="ObjectDisposedException">A flow or a part of it is disposed.</exception>
    public HeldFlows(IEnumerable<Flow> flows)
    {
        try { foreach (var flow in flows) held.Add(flow.Held()); }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var scope in held) scope.Dispose();
        held.Clear();
    }
}
