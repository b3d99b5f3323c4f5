using System.Diagnostics;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>When a trainer asks a device for the losses of its last steps: the first limit that is reached counts.</summary>
/// <param name="Steps">The most steps.</param>
/// <param name="Time">The most time since it asked last.</param>
/// <param name="UsesLists">Whether the optimizer may work on lists of tensors.</param>
internal readonly record struct PendingLimits(int Steps, TimeSpan Time, bool UsesLists = true)
{
    /// <summary>The limits of a training on a GPU: a progress bar still moves, and
    /// a wait for the device is a small part of the time between two.</summary>
    public static PendingLimits Default { get; } = new(32, TimeSpan.FromMilliseconds(100));
}

/// <summary>A step that the device has been asked for, and what is needed to count it, or to find out why it failed.</summary>
/// <param name="Batch">The batch, of which the step owns views.</param>
/// <param name="Seed">The seed of the step's noise.</param>
/// <param name="Rate">Its learning rate.</param>
/// <param name="Numbers">Loss, norm of the gradients and sum of the weights, (3).</param>
/// <param name="Counts">The counts of the optimizer before it.</param>
/// <param name="Updates">The updates of the average before it.</param>
internal sealed record PendingStep(TrainingBatch Batch, long Seed, double Rate, Tensor Numbers, long[] Counts, long Updates) : IDisposable
{
    /// <summary>Frees what the step has kept.</summary>
    public void Dispose()
    {
        Numbers.Dispose();
        Batch.Dispose();
    }
}

/// <summary>A step whose numbers are known.</summary>
/// <param name="Step">The step.</param>
/// <param name="Loss">Its loss.</param>
/// <param name="Norm">The norm of its gradients.</param>
/// <param name="Weight">The sum of the weights of its batch; null without weights.</param>
internal sealed record TakenStep(PendingStep Step, double Loss, double Norm, double? Weight);

/// <summary>The steps of a training that the host does not know the losses of yet.</summary>
internal sealed class PendingSteps(PendingLimits limits, Device device) : IDisposable
{
    // batches are kept until their losses are known
    private const long MostBytes = 64L << 20;
    private readonly List<PendingStep> steps = [];
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private long bytes;

    /// <summary>What lets finite steps through.</summary>
    public StepGate Gate { get; } = new(device);

    public int Count => steps.Count;

    /// <summary>Whether it is time to <see cref="Take"/> them.</summary>
    public bool AreDue => steps.Count > 0 && (steps.Count >= limits.Steps || bytes >= MostBytes || watch.Elapsed >= limits.Time);

    /// <summary>Adds a step. The batch stays the caller's.</summary>
    public void Add(TrainingBatch batch, long seed, double rate, Tensor loss, Tensor norm, long[] counts, long updates)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var weight = BatchLoss.Weight(batch)?.to(norm.dtype) ?? norm;
        var numbers = scope.Detach(stack([loss.detach().to(norm.dtype), norm, weight]));
        steps.Add(new PendingStep(batch.Alias(), seed, rate, numbers, counts, updates));
        bytes += batch.Bytes;
    }

    /// <summary>Takes all steps out with their losses and norms, in one fetch. The caller disposes each.</summary>
    public TakenStep[] Take()
    {
        if (steps.Count == 0) return [];
        using var scope = NewDisposeScope();
        var numbers = stack(steps.Select(step => step.Numbers)).FetchDoubles();
        var taken = steps.Select((step, i) => new TakenStep(step, numbers[3 * i], numbers[(3 * i) + 1], step.Batch.WeightsUnread is null
            ? null : numbers[(3 * i) + 2])).ToArray();
        Clear();
        return taken;
    }

    public void Dispose()
    {
        foreach (var step in steps) step.Dispose();
        Clear();
        Gate.Dispose();
    }

    private void Clear()
    {
        steps.Clear();
        bytes = 0;
        watch.Restart();
    }
}
