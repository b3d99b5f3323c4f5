namespace RealNvp.Samples.Service;

/// <summary>What one request may ask for. Read from the section <c>Service</c> of the configuration.</summary>
internal sealed record ServiceLimits
{
    /// <summary>The file of the model. If it is not there, a small one is trained and saved there at the first start.</summary>
    public string Model { get; init; } = Path.Combine("out", "service", "model.safetensors");

    /// <summary>The largest body of a request, in bytes.</summary>
    public long MaxBytes { get; init; } = 4 << 20;

    /// <summary>How many clients may be connected at once: each may hold a body in memory.</summary>
    public int Connections { get; init; } = 256;

    /// <summary>The most rows to score in a request.</summary>
    public int MaxRows { get; init; } = 50_000;

    /// <summary>The most samples of a request.</summary>
    public int MaxSamples { get; init; } = 1_000_000;

    /// <summary>The time after which a request is given up.</summary>
    public double Seconds { get; init; } = 10;

    /// <summary>How many requests compute at once: as many as there are cores.</summary>
    public int Concurrency { get; init; } = Environment.ProcessorCount;

    /// <summary>How many requests wait for their turn; others are refused with 503 at once.</summary>
    public int Queue { get; init; } = 64;
}
