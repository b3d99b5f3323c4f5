using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The flow of a trainer and what its objective trains beside it. Weights of the
/// others have names that no weight of a flow has: <c>beside/encoder/weight</c>.</summary>
internal sealed class TrainedModules
{
    /// <summary>What the names of all weights begin with that are not the flow's.</summary>
    public const string Beside = "beside/";

    private readonly (string Name, nn.Module Module)[] others;

    /// <summary>Checks what is to be trained.</summary>
    /// <exception cref="ArgumentException">A name or a module cannot be used, or two have a weight in common.</exception>
    public TrainedModules(Flow flow, Objective objective)
    {
        Flow = flow;
        others = [.. objective.Modules.Select(m => (m.Key, m.Value))];
        flow.CheckAlive();
        foreach (var (name, module) in others)
        {
            if (string.IsNullOrWhiteSpace(name) || name.Contains('/'))
                throw new ArgumentException(
                    $"{nameof(Objective)} {objective.Name} has a module with the name '{name}'. Give it a name without a slash.",
                    nameof(objective));
            if (module is null)
                throw new ArgumentException($"{nameof(Objective)} {objective.Name}: the module '{name}' is null.", nameof(objective));
        }
        CheckTrainable();
    }

    public Flow Flow { get; }

    /// <summary>The modules beside the flow.</summary>
    public IReadOnlyList<(string Name, nn.Module Module)> Others => others;

    /// <summary>The flow, and others that are flows.</summary>
    public IEnumerable<Flow> Flows => others.Select(o => o.Module).OfType<Flow>().Prepend(Flow);

    /// <summary>All modules.</summary>
    public IEnumerable<nn.Module> All => others.Select(o => o.Module).Prepend(Flow);

    public IEnumerable<(string Name, Parameter Parameter)> Parameters =>
        Named(m => m.named_parameters().Select(p => (p.name, p.parameter)));

    public IEnumerable<(string Name, Tensor Buffer)> Buffers => Named(m => m.named_buffers().Select(b => (b.name, b.buffer)));

    /// <summary>All weights and buffers that are part of the state.</summary>
    public Dictionary<string, Tensor> State() =>
        Named(m => m.state_dict().Select(t => (t.Key, t.Value))).ToDictionary(t => t.Item1, t => t.Item2);

    public void Train()
    {
        foreach (var module in All) module.train();
    }

    public void Evaluate()
    {
        foreach (var module in All) module.eval();
    }

    /// <exception cref="ObjectDisposedException">A module or a part of it is disposed.</exception>
    public void CheckAlive()
    {
        Flow.CheckAlive();
        foreach (var (name, tensor) in Parameters.Select(p => (p.Name, (Tensor)p.Parameter)).Concat(Buffers))
            if (tensor.IsInvalid)
                throw new ObjectDisposedException(name,
                    $"The weight {name} has been disposed. Keep what the objective trains alive while it is trained.");
    }

    /// <summary>Whether all tensors are on one device that is not the CPU.</summary>
    public bool AreOnOneDevice()
    {
        var tensors = Parameters.Select(p => (Tensor)p.Parameter).Concat(Buffers.Select(b => b.Buffer)).ToArray();
        return tensors.All(t => t.device_type != DeviceType.CPU && t.device_type == tensors[0].device_type
            && t.device_index == tensors[0].device_index);
    }

    /// <summary>The first weight whose value or gradient is not finite; null if all are.</summary>
    public string? FirstNotFinite(bool gradients)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, parameter) in Parameters)
            if ((gradients ? parameter.grad : parameter) is { } tensor && !tensor.isfinite().all().Fetch<bool>()) return name;
        return null;
    }

    private void CheckTrainable()
    {
        var names = new Dictionary<IntPtr, string>();
        foreach (var (name, parameter) in Parameters)
        {
            if (parameter.IsInvalid)
                throw new ObjectDisposedException(Flow.GetName(),
                    $"The weight {name} has been disposed. Keep the flow alive while it is trained.");
            if (GradientMode.IsInference(parameter))
                throw new ArgumentException(
                    $"The weight {name} was made inside torch.inference_mode(), so it can never be trained. Build or load the flow " +
                    $"outside of it.", "flow");
            if (!names.TryAdd(parameter.Handle, name) && name.StartsWith(Beside, StringComparison.Ordinal))
                throw new ArgumentException(
                    $"The weight {name} is the same as {names[parameter.Handle]}. Each weight is trained once: leave what is a part of " +
                    $"the flow out of the objective's modules.", "objective");
        }
        if (Buffers.Any(b => GradientMode.IsInference(b.Buffer)))
            throw new ArgumentException(
                $"A buffer of the flow was made inside torch.inference_mode(), so it can never be changed. Build or load the flow " +
                $"outside of it.", "flow");
    }

    private IEnumerable<(string, T)> Named<T>(Func<nn.Module, IEnumerable<(string, T)>> of) =>
        of(Flow).Concat(others.SelectMany(o => of(o.Module).Select(t => ($"{Beside}{o.Name}/{t.Item1}", t.Item2))));
}
