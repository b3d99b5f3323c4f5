using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's optimizer: gradient descent with a heavy ball.</summary>
public class Heavy(IReadOnlyList<ParameterGroup> groups) : IOptimizer
{
    private readonly (string Name, Parameter Parameter, Tensor Speed)[] slots =
        [.. groups.SelectMany(g => g.Parameters)
            .Select(p => (p.Name, p.Parameter, zeros_like(p.Parameter.detach()).DetachFromDisposeScope()))];

    public virtual string Name => nameof(Heavy);

    public virtual bool CanSaveState => true;

    public void ZeroGradients()
    {
        foreach (var (_, parameter, _) in slots) parameter.grad = null;
    }

    public void TakeStep(double learningRate)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (_, parameter, speed) in slots)
        {
            if (parameter.grad is not { } gradient) continue;
            speed.mul_(0.8).add_(gradient);
            parameter.add_(speed, alpha: -learningRate);
        }
    }

    public IReadOnlyDictionary<string, Tensor> StateDict() => slots.ToDictionary(s => s.Name, s => s.Speed);

    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        if (!state.Keys.ToHashSet().SetEquals(slots.Select(s => s.Name))) throw new ArgumentException("Other names.", nameof(state));
        using var _ = no_grad();
        foreach (var (name, _, speed) in slots) speed.copy_(state[name]);
    }

    public void Dispose()
    {
        foreach (var (_, _, speed) in slots) speed.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>A user's optimizer that keeps its state to itself.</summary>
public sealed class Forgetful(IReadOnlyList<ParameterGroup> groups) : Heavy(groups)
{
    public override string Name => nameof(Forgetful);

    public override bool CanSaveState => false;
}

/// <summary>A user's schedule: the rate goes down and up again.</summary>
public sealed record Zigzag : LearningRateSchedule
{
    public int Every { get; init; } = 2;

    protected override double Decay(long stepsDone, long totalSteps) => stepsDone / Every % 2 == 0 ? 1 : 0.5;
}

/// <summary>A user's data: points on a noisy ring, drawn anew in each epoch.</summary>
public sealed class Ring(long count) : TrainingData
{
    public override long? Count => count;

    public override long? BatchesPerEpoch(int batchSize) => (count + batchSize - 1) / batchSize;

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        for (var batch = skip; batch < BatchesPerEpoch(batchSize); batch++)
            yield return Draw(Math.Min(batchSize, count - (batch * batchSize)), (ulong)(seed + batch));
    }

    private static TrainingBatch Draw(long size, ulong seed)
    {
        using var generator = new Generator(seed);
        using var scope = NewDisposeScope();
        var angle = rand([size], generator: generator).mul(2 * Math.PI);
        var radius = randn([size], generator: generator).mul(0.1).add(3);
        return new TrainingBatch(stack([angle.cos() * radius, angle.sin() * radius], 1).DetachFromDisposeScope());
    }
}
