using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using RealNvp.Kernels;
using RealNvp.Scoring.Files;

namespace RealNvp.Scoring.Models;

/// <summary>What all models have in common: options, memory, layers with numbers of their own, the density of latents.</summary>
internal sealed unsafe partial class ModelBuilder
{
    private const int MostFeatures = 1 << 20;
    private readonly List<float[]> memory = [];

    // weights as the file has them, until they are packed
    private readonly List<float[]> weights = [];

    /// <summary>Reads the options that all records have.</summary>
    public ModelBuilder(ScorerFile file, OptionsReader options)
    {
        (File, Options) = (file, options);
        var shape = options.List("Shape", 1);
        if (shape.Length == 3)
            throw ModelReader.NotComputed(file.Name, $"a model of images [{string.Join(", ", shape)}]", "it has convolutions");
        if (shape.Length != 1 || shape[0] > MostFeatures) throw options.Bad($"Shape is [{string.Join(", ", shape)}]; expected [D]");
        Features = shape[0];
        ContextSize = options.Whole("ContextSize", 0, MostFeatures);
        if (options.Whole("Levels", 0, 1 << 24) > 0)
            throw ModelReader.NotComputed(file.Name, "a UniformDequantization", "its likelihood is a mean over noise");
        Limit = options.PositiveOrNull("InputLimit", since: 3) ?? 0;
        Threshold = options.PositiveOrNull("TailThreshold", since: 3);
        options.Ignore("Scaling");
        var standardizes = options.Flag("StandardizeContext", since: 3);
        if (standardizes && ContextSize > 0) Encoder = Standardization("context_encoder", All(ContextSize));
    }

    public ScorerFile File { get; }

    public OptionsReader Options { get; }

    /// <summary>D and C.</summary>
    public int Features { get; }

    public int ContextSize { get; }

    /// <summary>What networks see of a number; 0 for all of it.</summary>
    public double Limit { get; }

    public double? Threshold { get; }

    public ScaleRows? Encoder { get; }

    /// <summary>What the pointers of the plan point into.</summary>
    public object Memory => memory;

    /// <summary>0, 1, ..., count − 1.</summary>
    public static int[] All(int count) => [.. Enumerable.Range(0, count)];

    /// <summary>Every second feature, or the first half: those that a coupling keeps and those that it changes.</summary>
    public static (int[] Kept, int[] Changed) Halves(int features, bool alternating, bool complement)
    {
        bool Keeps(int i) => (alternating ? i % 2 == 1 : i < features / 2) != complement;
        return ([.. All(features).Where(Keeps)], [.. All(features).Where(i => !Keeps(i))]);
    }

    /// <summary>The plan, when the steps are made.</summary>
    public RowPlan Plan(List<RowStep> steps, RowDensity density) => new(Features, ContextSize, Encoder, [.. steps], density);

    /// <summary>(x − mean)/std, with numbers that were taken from data.</summary>
    public ScaleRows Standardization(string key, int[] at)
    {
        var mean = Finite($"{key}.mean", at.Length);
        // what float32 has no place for; in the first files it was lost
        var rest = File.TakeSince(StateFile.AllBuffers, $"{key}.mean_rest", at.Length)?.Doubles(double.IsFinite, "finite numbers");
        var logStd = File.Take($"{key}.log_std", at.Length).Doubles(v => v is >= -700 and <= 700, "numbers in -700 ... 700");
        File.TakeSince(StateFile.AllBuffers, $"{key}.fitted");
        for (var i = 0; i < mean.Length && rest is not null; i++) mean[i] += rest[i];
        return new ScaleRows(at, mean, Array.ConvertAll(logStd, s => -s), new double[at.Length]);
    }

    /// <summary>The layers that take scales and tails away.</summary>
    /// <param name="standardize">Whether there is a standardization.</param>
    /// <param name="next">Gives the key of the next layer.</param>
    /// <param name="at">The features.</param>
    public IEnumerable<RowStep> Scaling(bool standardize, Func<string> next, int[] at)
    {
        if (standardize) yield return Standardization(next(), at);
        if (Threshold is not { } threshold) yield break;
        next();
        yield return new AsinhRows(at, threshold);
    }

    /// <summary>Batch normalization by running statistics.</summary>
    public ScaleRows BatchNorm(string key, int[] at)
    {
        var mean = Finite($"{key}.running_mean", at.Length);
        var variance = File.Take($"{key}.running_var", at.Length).Doubles(v => v >= 0 && double.IsFinite(v),
            "numbers that are finite and not negative");
        File.Take($"{key}.num_batches_tracked");
        return new ScaleRows(at, mean, Array.ConvertAll(variance, v => -0.5 * Math.Log(v + 1e-5)), new double[at.Length]);
    }

    /// <summary>A learned scale of each feature.</summary>
    public ScaleRows DiagonalScaling(string key) =>
        new(All(Features), new double[Features], File.Take($"{key}.log_scale", Features).Doubles(), new double[Features]);

    /// <summary>An invertible matrix as P L U.</summary>
    public LinearRows Linear(string key, int[] at)
    {
        var count = at.Length;
        var triangles = File.Take($"{key}.lu", count, count).Doubles();
        var permutation = File.Take($"{key}.permutation", count).Permutation();
        var signs = File.Take($"{key}.sign", count).Doubles(v => Math.Abs(v) == 1, "1 or -1");
        var logDet = 0.0;
        for (var i = 0; i < count; i++)
        {
            ref var diagonal = ref triangles[(i * count) + i];
            logDet += diagonal;
            diagonal = Math.Exp(diagonal) * signs[i];
        }
        var matrix = Pinned(new float[(long)count * count]);
        Triangles.Multiply(triangles, permutation, matrix);
        var network = Packed(new DenseProgram(count, [count], 0), 0, [Pointer(matrix)], [null], [null], 0);
        return new LinearRows(at, network, triangles, permutation, logDet);
    }

    /// <summary>Finite numbers.</summary>
    public double[] Finite(string name, params ReadOnlySpan<long> shape) =>
        File.Take(name, shape).Doubles(double.IsFinite, "finite numbers");

    /// <summary>Numbers of the file in memory that stays as long as the plan.</summary>
    public RowWeight Kept(string name, params ReadOnlySpan<long> shape)
    {
        var values = File.Take(name, shape).Floats();
        memory.Add(values);
        return new((nint)Pointer(values), -1, values.Length);
    }

    private float[] Pinned(float[] values)
    {
        var pinned = GC.AllocateUninitializedArray<float>(values.Length, pinned: true);
        weights.Add(pinned);
        return pinned;
    }

    // until the plan is made
    private float* Weight(string name, params ReadOnlySpan<long> shape)
    {
        var values = File.Take(name, shape).Floats();
        weights.Add(values);
        return Pointer(values);
    }

    private float* Room(long count)
    {
        const int line = 64;
        var place = GC.AllocateUninitializedArray<float>(checked((int)(count + (line / sizeof(float)))), pinned: true);
        memory.Add(place);
        return (float*)(((nint)Pointer(place) + line - 1) & -line);
    }

    private static float* Pointer(float[] pinned) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
}
