using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>The bijection under check: it runs it with a fixed seed, moves it
/// between dtypes and modes, and puts everything back on dispose.</summary>
internal sealed class Subject : IDisposable
{
    private readonly (nn.Module Module, bool Training)[] modes;
    private readonly Dictionary<string, Tensor> original;
    private readonly ScalarType originalDtype;
    private readonly bool owned;

    public Subject(Bijection layer, Func<Bijection>? make, FlowCheckOptions options)
    {
        Layer = layer;
        Make = make;
        Options = options;
        owned = make is not null;
        originalDtype = CommonDtype(layer);
        Device = layer.parameters().Concat(layer.buffers()).FirstOrDefault()?.device ?? get_default_device();
        modes = [.. layer.modules().Prepend(layer).Select(m => (m, m.training))];
        original = Snapshot();
        foreach (var tensor in original.Values) tensor.DetachFromDisposeScope();
    }

    public Bijection Layer { get; }

    public Func<Bijection>? Make { get; }

    public FlowCheckOptions Options { get; }

    public Device Device { get; }

    public ScalarType Dtype { get; private set; }

    /// <summary>The one floating-point dtype of the weights, or else of the constants.</summary>
    public static ScalarType CommonDtype(Bijection layer)
    {
        var dtypes = layer.parameters().Concat(layer.buffers()).Where(w => w.is_floating_point()).Select(w => w.dtype).Distinct().ToArray();
        return dtypes.Length switch
        {
            0 => layer.ConstantDtype ?? get_default_dtype(),
            1 => dtypes[0],
            _ =>
                throw new ArgumentException(
                    $"{layer.GetName()} has weights of dtypes {string.Join(" and ", dtypes)}; FlowCheck needs one. Convert it first: " +
                    $"layer.to(torch.float32).", nameof(layer)),
        };
    }

    /// <summary>Runs one direction with the seed of the options, whatever was drawn before.</summary>
    public (Tensor Value, Tensor LogDet) Run(Tensor input, Tensor? context, bool inverse)
    {
        manual_seed(Options.Seed).Dispose();
        using var source = PassState.Seed(Options.Seed);
        return inverse ? Layer.Inverse(input, context) : Layer.Forward(input, context);
    }

    public void Use(ScalarType dtype)
    {
        Layer.to(dtype);
        Dtype = dtype;
    }

    /// <summary>Draws the parameters and lets running statistics leave their initial values; the numbers fit into float32.</summary>
    public void Randomize(long seed, Func<long, Tensor> inputs, Tensor? context)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var generator = RandomSource.New(seed);
        foreach (var parameter in Layer.parameters())
        {
            if (!parameter.is_floating_point()) continue;
            var fanIn = parameter.dim() < 2 ? 1 : parameter.numel() / parameter.shape[0];
            var noise = Noise.Normal(parameter.shape, ScalarType.Float64, CPU, generator);
            var spread = Options.ParameterSpread * Math.Min(1, 3 / Math.Sqrt(fanIn));
            parameter.add_(noise.mul(Scalars.Of(spread)).to(parameter.dtype, parameter.device), Scalars.One);
        }
        if (!Layer.MixesBatchInTraining) return;
        Layer.train();
        for (var pass = 0; pass < Options.TrainingPasses; pass++)
        {
            var batch = inputs(16).to(Dtype, Device);
            Run(batch, context?.expand(16, -1).to(Dtype, Device), inverse: false);
        }
        Layer.eval();
    }

    /// <summary>Copies of all parameters and buffers by name, which the dispose scope around the call owns.</summary>
    public Dictionary<string, Tensor> Snapshot()
    {
        using var _ = no_grad();
        return Named().ToDictionary(e => e.Name, e => e.Tensor.detach().clone());
    }

    public void Restore(Dictionary<string, Tensor> snapshot, bool buffersOnly = false)
    {
        using var _ = no_grad();
        foreach (var (name, tensor) in Named())
            if (!buffersOnly || tensor is not TorchSharp.Modules.Parameter) tensor.copy_(snapshot[name]);
    }

    /// <summary>The first parameter or buffer that differs from the snapshot; null if none does.</summary>
    public string? FirstChange(Dictionary<string, Tensor> snapshot)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Named().FirstOrDefault(e => !SameBits(e.Tensor, snapshot[e.Name])).Name;
    }

    public static bool SameBits(Tensor a, Tensor b)
    {
        if (a.dtype != b.dtype || !a.shape.AsSpan().SequenceEqual(b.shape)) return false;
        using var scope = NewDisposeScope();
        var same = a.eq(b);
        if (a.is_floating_point()) same = same.logical_or(a.isnan().logical_and(b.isnan()));
        return same.all().Fetch<bool>();
    }

    public void Dispose()
    {
        if (!owned)
        {
            Layer.to(originalDtype);
            Restore(original);
            foreach (var (module, training) in modes)
                if (module.training != training) module.train(training);
        }
        foreach (var tensor in original.Values) tensor.Dispose();
        if (owned) Layer.Dispose();
    }

    private IEnumerable<(string Name, Tensor Tensor)> Named() =>
        Layer.named_parameters().Select(p => (p.name, (Tensor)p.parameter)).Concat(Layer.named_buffers().Select(b => (b.name, b.buffer)));
}
