namespace RealNvp.Benchmarks;

/// <summary>One run of the program: what the machine can do, then case after case, on the console and in a file.</summary>
/// <param name="conductor">Who times.</param>
/// <param name="known">Results of peers from a file.</param>
/// <param name="json">A file to which each result is appended, or null.</param>
/// <param name="only">The only phase, or null for all.</param>
internal sealed class BenchmarkRun(Conductor conductor, IReadOnlyList<Measurement> known, string? json, string? only)
{
    /// <summary>Says what runs, and where.</summary>
    /// <exception cref="BenchmarkException">The file of results cannot be written.</exception>
    public void Start()
    {
        try
        {
            if (json is not null) File.AppendAllText(json, "");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new BenchmarkException($"'{json}' cannot be written: {error.Message}");
        }
        Console.WriteLine($"{Report.Machine()}; {Report.Runtime()}");
        MeasureProduct(conductor.Threads);
        Console.WriteLine(Report.Head);
    }

    /// <summary>Times the phases of a case.</summary>
    public void Time(BenchmarkCase row)
    {
        var phases = row.Phases.Where(p => only is null || p == only || p == "read").ToArray();
        // of each number of threads: a product of two threads says nothing of one
        if (row.Threads is { } threads && conductor.BestProduct(threads) is null) MeasureProduct(threads);
        // reading comes first: the others stand beside it
        var measured = conductor.Run(row with { Phases = [.. phases.OrderBy(p => p != "read")] });
        (Measurement? Ours, double? Reading) last = default;
        foreach (var m in measured.Select(m => m with { Peak = conductor.Peak(row), Machine = Report.Machine(), Runtime = Report.Runtime(),
            BestProduct = conductor.BestProduct(m.Threads) }))
        {
            if (m.Phase == "read") last.Reading = m.Median;
            // that of the same turns, or else of its own
            var line = m with { Reading = m.Reading ?? last.Reading };
            if (m.Peer == Report.Ours)
            {
                last.Ours = line;
                Console.WriteLine(Report.Row(line));
                foreach (var peer in known.Where(k => k.Case == row.ComparesWith && k.Phase == m.Phase && k.Threads == m.Threads))
                    Console.WriteLine(Report.Ratio(peer, line));
            }
            else if (last.Ours is { } ours) Console.WriteLine(Report.Ratio(line, ours));
            if (row.Reversible && m.Phase == "train" && m.WorkingMb is not null) Console.WriteLine(Report.Working(line));
            if (json is not null) File.AppendAllText(json, Protocol.Write(line) + "\n");
        }
    }

    private void MeasureProduct(int threads)
    {
        foreach (var m in conductor.Products(threads))
            Console.WriteLine(Report.Product(m with { Peak = conductor.Peak(ProductWorkload.Case with { Threads = threads }) }));
    }
}
