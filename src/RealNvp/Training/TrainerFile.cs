using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The layout of a training in a file beside that of its model (<see cref="StateFile"/>): <c>optimizer/...</c>,
/// <c>average/...</c>, <c>best/...</c>, <c>random/...</c>, and for modules that are trained beside the flow
/// <c>beside/model/NAME/...</c>, <c>beside/average/NAME/...</c> and <c>beside/best/NAME/...</c>.
/// </summary>
internal static class TrainerFile
{
    /// <summary>Which examples the training is of, if that is known.</summary>
    public const string DataKey = "data";

    private const string ObjectiveKey = "objective", OptimizerKey = "optimizer", Averaged = "average.",
        Random = StateFile.RandomPrefix + "default";

    // what files had before there were others
    private const string OlderObjective = MaximumLikelihoodObjective.TheName, OlderOptimizer = AdamOptimizer.TheName;

    /// <summary>All tensors of a training, as they are; new ones are in the caller's scope.</summary>
    public static Dictionary<string, Tensor> Tensors(TrainedModules modules, IOptimizer optimizer, WeightAverage? average,
        StateSnapshot? best)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in modules.State()) tensors.Add(Key(StateFile.ModelPrefix, name), tensor);
        foreach (var (name, tensor) in optimizer.StateDict()) tensors.Add(StateFile.OptimizerPrefix + name, tensor);
        foreach (var (name, tensor) in average?.LiveState() ?? [])
            tensors.Add(name.StartsWith(Averaged + TrainedModules.Beside, StringComparison.Ordinal)
                ? Key(StateFile.AveragePrefix, name[Averaged.Length..]) : StateFile.AveragePrefix + name, tensor);
        if (best is not null) foreach (var (name, tensor) in best.Tensors) tensors.Add(Key(StateFile.BestPrefix, name), tensor);
        tensors.Add(Random, get_rng_state());
        return tensors;
    }

    public static Dictionary<string, string> Metadata(Flow flow, Objective objective, IOptimizer optimizer, TrainingOptions options,
        TrainerState state)
    {
        var metadata = flow.FileMetadata();
        metadata[ObjectiveKey] = objective.Name;
        metadata[OptimizerKey] = optimizer.Name;
        metadata[StateFile.TrainingKey] = FileJson.Write(options with { Schedule = OwnSchedule.InFile(options.Schedule) });
        metadata[StateFile.StateKey] = state.ToJson();
        return metadata;
    }

    /// <summary>Refuses to go on with another objective, or with other modules beside the flow.</summary>
    /// <exception cref="InvalidDataException">It is not that of the checkpoint.</exception>
    public static void CheckObjective(SafeTensorsFile file, Objective objective)
    {
        var name = file.Metadata.GetValueOrDefault(ObjectiveKey, OlderObjective);
        if (name != objective.Name)
            throw new InvalidDataException(
                $"{file.Name} is a checkpoint of a training by {FileText.Name(name)}, not by {objective.Name}. Pass that objective to " +
                $"Resume: parts: new {nameof(TrainerParts)} {{ {nameof(TrainerParts.Objective)} = ... }}. To train on by another one, " +
                $"load the model and make a new trainer.");
        const string prefix = TrainedModules.Beside + StateFile.ModelPrefix;
        var there = file.Tensors.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal))
            .Select(k => k[prefix.Length..].Split('/')[0]).ToHashSet();
        // a module without weights leaves nothing in a file
        var expected = objective.Modules.Where(m => m.Value.state_dict().Count > 0).Select(m => m.Key).ToHashSet();
        if (!there.SetEquals(expected))
            throw new InvalidDataException(
                $"{file.Name} holds weights of {FileText.Sentence(Names(there))} beside the flow; the objective trains " +
                $"{Names(expected)}. Give it modules of the same names.");
    }

    /// <summary>Refuses to go on with another optimizer.</summary>
    /// <exception cref="InvalidDataException">It is not that of the checkpoint, or cannot take its state.</exception>
    public static void CheckOptimizer(SafeTensorsFile file, IOptimizer optimizer)
    {
        var name = file.Metadata.GetValueOrDefault(OptimizerKey, OlderOptimizer);
        if (name != optimizer.Name)
            throw new InvalidDataException(
                $"{file.Name} is a checkpoint of a training with the optimizer {FileText.Name(name)}, not with {optimizer.Name}. Pass " +
                $"what makes that one to Resume: parts: new {nameof(TrainerParts)} {{ {nameof(TrainerParts.Optimizer)} = ... }}.");
        if (!optimizer.CanSaveState)
            throw new InvalidDataException($"{file.Name} cannot be resumed: the optimizer {optimizer.Name} cannot take a state over.");
    }

    /// <summary>Refuses options whose schedule is code that nobody has given again.</summary>
    public static void CheckSchedule(SafeTensorsFile file, TrainingOptions options)
    {
        if (options.Schedule is OwnSchedule own)
            throw new InvalidDataException(
                $"{file.Name} is a checkpoint of a training with a schedule of your own, {FileText.Name(own.Text)}. It is code, so give " +
                $"it again to Resume: change: o => o with {{ {nameof(TrainingOptions.Schedule)} = ... }}.");
    }

    /// <summary>The checked states of the modules beside the flow; the caller disposes them.</summary>
    /// <param name="file">The file.</param>
    /// <param name="modules">The modules.</param>
    /// <param name="prefix"><see cref="StateFile.ModelPrefix"/> or <see cref="StateFile.BestPrefix"/>.</param>
    public static List<(string Name, FileState State)> Others(SafeTensorsFile file, TrainedModules modules, string prefix)
    {
        var result = new List<(string, FileState)>();
        try
        {
            foreach (var (name, module) in modules.Others)
                result.Add((name, new FileState(module, file, Key(prefix, $"{TrainedModules.Beside}{name}/"))));
            return result;
        }
        catch
        {
            foreach (var (_, state) in result) state.Dispose();
            throw;
        }
    }

    /// <summary>The state of the average of all modules, given that of the flow.</summary>
    public static Dictionary<string, Tensor> Averages(SafeTensorsFile file, TrainedModules modules, Dictionary<string, Tensor> ofFlow)
    {
        foreach (var (name, module) in modules.Others)
        {
            var prefix = $"{TrainedModules.Beside}{name}/";
            var section = StateFile.Section(file, Key(StateFile.AveragePrefix, prefix));
            StateCheck.Laws(module, section, file.Name);
            foreach (var (key, tensor) in section) ofFlow.Add(Averaged + prefix + key, tensor);
        }
        return ofFlow;
    }

    /// <summary>The state of the optimizer, with a look at what would make NaN of a weight:
    /// what comes from no gradients is 0, and a mean of squares is never negative.</summary>
    public static Dictionary<string, Tensor> Moments(SafeTensorsFile file)
    {
        using var scope = NewDisposeScope();
        var state = StateFile.Section(file, StateFile.OptimizerPrefix);
        foreach (var (name, tensor) in state)
            if (name.StartsWith("exp_avg_sq.", StringComparison.Ordinal) && tensor.numel() > 0 && !(tensor.min().FetchDouble() >= 0))
                throw new InvalidDataException(
                    $"{file.Name} is damaged: the optimizer's mean of squares {FileText.Name(name)} has a value that is negative or no " +
                    $"number.");
        return state;
    }

    /// <summary>Torch's random state in a file, checked; null if there is none.</summary>
    public static Tensor? RandomState(SafeTensorsFile file)
    {
        var random = file.Tensors.GetValueOrDefault(Random);
        return random is not null && GeneratorState.Fault(random) is { } fault
            ? throw new InvalidDataException($"{file.Name} is damaged: {fault}.") : random;
    }

    // beside/encoder/weight is the weight of a module beside the flow: beside/model/encoder/weight
    private static string Key(string prefix, string name) => name.StartsWith(TrainedModules.Beside, StringComparison.Ordinal)
        ? $"{TrainedModules.Beside}{prefix}{name[TrainedModules.Beside.Length..]}" : prefix + name;

    private static string Names(HashSet<string> names) =>
        names.Count == 0 ? "no module" : string.Join(", ", names.Order(StringComparer.Ordinal));
}
