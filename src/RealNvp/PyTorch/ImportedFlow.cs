namespace RealNvp;

/// <summary>A flow that was made from a state dict of another library, and the report on how.</summary>
/// <typeparam name="TFlow">The class of the flow.</typeparam>
/// <remarks>It owns the flow: <see cref="Dispose"/> disposes it.</remarks>
public sealed class ImportedFlow<TFlow> : IDisposable where TFlow : Flow
{
    internal ImportedFlow(TFlow flow, PyTorchImportReport report) => (Flow, Report) = (flow, report);

    /// <summary>The flow, on the CPU, in evaluation mode and in the precision of the file; half precision becomes float32.</summary>
    public TFlow Flow { get; }

    /// <summary>What matched, what was left over and what was converted.</summary>
    public PyTorchImportReport Report { get; }

    /// <summary>Disposes the flow.</summary>
    public void Dispose() => Flow.Dispose();
}
