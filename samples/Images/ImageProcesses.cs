using RealNvp.Mpi;

namespace RealNvp.Samples.Images;

/// <summary>The option <c>--mpi</c>: the processes that mpirun has started train together.</summary>
internal static class ImageProcesses
{
    /// <summary>Runs a training, alone or with others; process 0 alone speaks.</summary>
    public static void Run(bool mpi, Action<IGradientExchange?> train)
    {
        if (!mpi)
        {
            train(null);
            return;
        }
        MpiExchange.Run(exchange =>
        {
            if (exchange.Rank > 0) Console.SetOut(TextWriter.Null);
            Console.WriteLine($"{exchange.Size} processes by {exchange.Version}");
            train(exchange);
        });
    }
}
