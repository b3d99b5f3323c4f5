namespace RealNvp.Benchmarks;

/// <summary>A case that is ready to run.</summary>
internal interface IWorkload : IDisposable
{
    /// <summary>The number of weights.</summary>
    long Parameters { get; }

    /// <summary>The work of one phase, once.</summary>
    void Run(string phase);

    /// <summary>The most bytes in use during a phase beyond those before it; null where nobody says.</summary>
    long? PeakOf(string phase);
}
