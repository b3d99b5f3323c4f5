using System.Runtime.ExceptionServices;
using System.Text;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The processes of one call of <see cref="Trainer.Fit"/>, and what they decide together.</summary>
internal sealed class Ranks : ProcessGroup
{
    private readonly IGradientExchange exchange;

    public Ranks(IGradientExchange exchange)
    {
        (Rank, Size) = (exchange.Rank, exchange.Size);
        if (Size < 1 || Rank < 0 || Rank >= Size)
            throw new ArgumentException($"{exchange.GetType().Name} is process {Rank} of {Size}; expected a rank in 0 ... size − 1.",
                nameof(exchange));
        this.exchange = exchange;
    }

    public override int Rank { get; }

    public override int Size { get; }

    /// <summary>Whether the last error is one that all processes have, so that none waits.</summary>
    public bool AreAgreed { get; private set; }

    public override Exception Agreed(Exception error)
    {
        AreAgreed = true;
        return error;
    }

    public override (Tensor Mean, Tensor Variance) Moments(Tensor x, Tensor weight) => RankMoments.Of(x, weight, this);

    public override Tensor Sum(Tensor values)
    {
        if (is_grad_enabled() && values.requires_grad) return RankSum.Apply(values, this)[0];
        var sum = values.detach().contiguous().clone();
        SumInPlace(sum);
        return sum;
    }

    /// <summary>Adds up a contiguous tensor, in place; without gradients.</summary>
    public void SumInPlace(Tensor values)
    {
        if (Size > 1) exchange.Sum(values);
    }

    /// <summary>Begins a training on all processes.</summary>
    public void Begin()
    {
        if (Size > 1) exchange.BeginTraining();
    }

    /// <summary>Ends it on this one.</summary>
    public void End()
    {
        if (Size > 1) exchange.EndTraining();
    }

    /// <summary>Whether sums of gradients may begin while the backward pass goes on.</summary>
    public bool Overlaps => Size > 1 && exchange is IOverlappingExchange;

    /// <summary>Begins to add up a contiguous tensor, in place; only if it <see cref="Overlaps"/>.</summary>
    public void BeginSum(Tensor values) => ((IOverlappingExchange)exchange).BeginSum(values);

    /// <summary>Waits for all sums that have begun.</summary>
    public void EndSums() => ((IOverlappingExchange)exchange).EndSums();

    /// <summary>Adds up numbers.</summary>
    public double[] Sum(params double[] values)
    {
        if (Size == 1) return values;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var sum = tensor(values, dtype: ScalarType.Float64, device: CPU);
        exchange.Sum(sum);
        return sum.FetchDoubles();
    }

    /// <summary>The number that each process says, by rank.</summary>
    public double[] Gather(double own)
    {
        var all = new double[Size];
        all[Rank] = own;
        return Sum(all);
    }

    /// <summary>Whether any process says so.</summary>
    public bool Any(bool own) => Sum(own ? 1.0 : 0)[0] > 0;

    /// <summary>The numbers of process 0.</summary>
    public double[] OfFirst(params double[] own)
    {
        if (Size == 1) return own;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var values = tensor(own, dtype: ScalarType.Float64, device: CPU);
        exchange.Broadcast(values, 0);
        return values.FetchDoubles();
    }

    /// <summary>Gives tensors the values of process 0, whatever their device.</summary>
    public void Broadcast(IEnumerable<Tensor> tensors)
    {
        if (Size == 1) return;
        using var _ = no_grad();
        foreach (var live in tensors)
        {
            using var scope = NewDisposeScope();
            if (live.numel() == 0) continue;
            var copy = live.detach().to(CPU).contiguous().clone();
            exchange.Broadcast(copy, 0);
            live.copy_(copy);
        }
    }

    /// <summary>A text of one process, for all.</summary>
    public string Text(string? own, int root)
    {
        if (Size == 1) return own ?? "";
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var bytes = Rank == root ? Encoding.UTF8.GetBytes(own ?? "") : [];
        var length = (long)Gather(bytes.Length)[root];
        if (length == 0) return "";
        var all = Rank == root ? bytes : new byte[length];
        var values = tensor(all, dtype: ScalarType.Byte, device: CPU);
        exchange.Broadcast(values, root);
        return Encoding.UTF8.GetString(values.bytes);
    }

    /// <summary>What the first process that has something to say says; −1 and nothing if none has.</summary>
    public (int Rank, string Text) First(string? own)
    {
        var said = Gather(string.IsNullOrEmpty(own) ? 0 : 1);
        var first = Array.FindIndex(said, s => s > 0);
        return first < 0 ? (-1, "") : (first, Text(own, first));
    }

    /// <summary>All sentences that any process has, each once, in the same order on all.</summary>
    public IReadOnlyList<string> Union(IReadOnlyList<string> own)
    {
        if (Size == 1) return own;
        var all = new List<string>();
        for (var rank = 0; rank < Size; rank++)
            all.AddRange(Text(string.Join('\0', own), rank).Split('\0', StringSplitOptions.RemoveEmptyEntries));
        return [.. all.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Runs what asks nothing of others. If it fails on one process, all throw: the own error, or one that tells of it.</summary>
    public T Together<T>(Func<T> work)
    {
        var result = default(T)!;
        Exception? fault = null;
        try { result = work(); }
        catch (Exception e) when (Size > 1 && e is not OutOfMemoryException) { fault = e; }
        if (Size == 1) return result;
        var (rank, text) = First(fault is null ? null : $"{fault.GetType().Name}: {fault.Message}");
        if (rank < 0) return result;
        AreAgreed = true;
        if (fault is not null) ExceptionDispatchInfo.Throw(fault);
        throw new InvalidOperationException($"Process {rank} of {Size} cannot train, so none does. It says: {text}");
    }

    /// <inheritdoc cref="Together{T}"/>
    public void Together(Action work) => Together(() =>
    {
        work();
        return true;
    });

    /// <summary>Throws on all processes if one of them says something else than process 0.</summary>
    /// <param name="own">What this process says.</param>
    /// <param name="name">Of what.</param>
    /// <param name="advice">A sentence on what to do.</param>
    /// <exception cref="InvalidOperationException">One says something else.</exception>
    public void Same(string own, string name, string advice)
    {
        static string Short(string text) => text.Length <= 400 ? text : text[..400] + "...";
        if (Size == 1) return;
        var first = Text(own, 0);
        Together(() =>
        {
            if (own != first)
                throw new InvalidOperationException($"Process {Rank} of {Size} has another {name} than process 0. Here: {Short(own)}. " +
                    $"There: {Short(first)}. {advice}");
        });
    }

    /// <summary>A sentence that tells of processes that say the same, though each should have data of its own; null if none do.</summary>
    /// <param name="mark">What tells the data of this process from others; null if it has none to compare.</param>
    /// <param name="what">What two such processes do.</param>
    public string? Copies(string? mark, string what)
    {
        if (Size == 1) return null;
        var all = Enumerable.Range(0, Size).Select(rank => Text(mark, rank)).ToArray();
        for (var rank = 1; rank < Size; rank++)
            if (all[rank].Length > 0 && Array.IndexOf(all, all[rank]) is var first && first < rank)
                return $"Processes {first} and {rank} {what} ({all[rank]}), so each of them counts twice. If all processes have the same " +
                    $"data, pass data.{nameof(TrainingData.Shard)}(exchange) instead of data.{nameof(TrainingData.AsShard)}().";
        return null;
    }

    /// <summary>Tells the others that this process fails, unless all do.</summary>
    public void Fail(Exception error)
    {
        if (Size > 1 && !AreAgreed) exchange.Abort($"{error.GetType().Name}: {error.Message}");
    }
}
