namespace RealNvp.Benchmarks;

/// <summary>A thread of a busy program: while it lives, it allocates <see cref="Bytes"/> every millisecond or a little more, of which the
/// last 16 MB live on, and collects each time: the youngest generation, of 16 times once the next one too, of 256 times once all. So the
/// other threads of the process are held up as often.</summary>
internal sealed class CollectingThread : IDisposable
{
    /// <summary>The bytes that it allocates before each collection.</summary>
    public const int Bytes = 1 << 20;

    private const int Piece = 1 << 13, Living = 16 * Bytes / Piece;
    private readonly Thread thread;
    private volatile bool ends;

    /// <summary>Starts it, and waits for its first collection.</summary>
    public CollectingThread()
    {
        using var begun = new ManualResetEventSlim();
        thread = new Thread(() => Run(begun)) { IsBackground = true, Name = "collects" };
        thread.Start();
        begun.Wait();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ends = true;
        thread.Join();
    }

    private void Run(ManualResetEventSlim begun)
    {
        var living = new byte[Living][];
        var next = 0;
        for (var time = 1; !ends; time++, Thread.Sleep(1))
        {
            for (var i = 0; i < Bytes / Piece; i++, next = (next + 1) % Living) living[next] = new byte[Piece];
            GC.Collect(time % 256 == 0 ? 2 : time % 16 == 0 ? 1 : 0);
            if (!begun.IsSet) begun.Set();
        }
    }
}
