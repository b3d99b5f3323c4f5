namespace RealNvp.Benchmarks.Scaling;

/// <summary>A network by two numbers: the seconds of a message and those of a byte.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Alpha">Seconds of a message.</param>
/// <param name="Beta">Seconds of a byte.</param>
internal sealed record Network(string Name, double Alpha, double Beta)
{
    /// <summary>Nominal rates and usual latencies, as makers tell them.</summary>
    public static Network Ethernet25 { get; } = new("25 GbE", 30e-6, 1 / 3.125e9);

    public static Network InfiniBand { get; } = new("InfiniBand HDR", 1.5e-6, 1 / 25e9);

    /// <summary>The seconds of a sum over processes: halving and doubling, each log₂ n messages and (n − 1)/n of the bytes (Thakur,
    /// Rabenseifner and Gropp, 2005).</summary>
    public double Sum(int size, double bytes) => size == 1 ? 0
        : (2 * Math.Log2(size) * Alpha) + (2.0 * (size - 1) / size * bytes * Beta);

    /// <summary>The network between two processes, by the seconds of a sum of one number and of many.</summary>
    public static Network Of(string name, double small, double large, double bytes) => new(name, small / 2, (large - small) / bytes);
}
