using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Rows to train on, to choose the epoch by, and to report, float32, (N, D) each.</summary>
internal sealed record Splits(Tensor Train, Tensor Validation, Tensor Test) : IDisposable
{
    public long Features => Train.shape[1];

    /// <summary>Other rows to train on, of which there is no end: of a seed, so many; null if there are only those of
    /// <see cref="Train"/>.</summary>
    public Func<int, int, Tensor>? Draw { get; init; }

    /// <summary>Standardizes all rows by the mean and the deviation of those
    /// that are not for the test, as the MAF paper's code does.</summary>
    public Splits Standardized()
    {
        using var scope = NewDisposeScope();
        var seen = cat([Train, Validation]);
        var (mean, deviation) = (seen.mean([0L]), seen.std(0, unbiased: false));
        var all = new[] { Train, Validation, Test }.Select(t => scope.MoveToOuter((t - mean) / deviation)).ToArray();
        Dispose();
        return new(all[0], all[1], all[2]);
    }

    /// <summary>Rows as a model takes them: images as vectors if it is one for vectors, all on its device. These are disposed.</summary>
    public Splits For(ModelOptions options, Device device)
    {
        using var scope = NewDisposeScope();
        Tensor Shaped(Tensor x) => scope.MoveToOuter((options.Shape.Count == 1 ? x.flatten(1) : x.alias()).to(device).clone());
        var shaped = this with { Train = Shaped(Train), Validation = Shaped(Validation), Test = Shaped(Test) };
        Dispose();
        return shaped;
    }

    /// <summary>Cuts shuffled rows: first those of training, then of validation, then of the test.</summary>
    public static Splits Of(double[][] rows, double validation, double test)
    {
        var (last, middle) = ((int)(rows.Length * test), (int)(rows.Length * (1 - test) * validation));
        var first = rows.Length - last - middle;
        return new(Rows(rows[..first]), Rows(rows[first..(first + middle)]), Rows(rows[(first + middle)..]));
    }

    public static Tensor Rows(double[][] rows) => tensor([.. rows.SelectMany(r => r.Select(v => (float)v))], [rows.Length, rows[0].Length]);

    public void Dispose()
    {
        Train.Dispose();
        Validation.Dispose();
        Test.Dispose();
    }
}
