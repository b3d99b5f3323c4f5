using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

// The name: TorchSharp.Modules has a class Adam, and "using TorchSharp.Modules" is common; AdamOptimizer clashes with nothing.
/// <summary>Adam (Kingma and Ba, https://arxiv.org/abs/1412.6980) as in PyTorch, with gradient clipping and an exact state.</summary>
/// <remarks>
/// <para>Contiguous float32 and float64 parameters on the CPU are updated in one pass over memory, without native scalars: TorchSharp's
/// own Adam leaves some per parameter and step to the finalizer. Other parameters use tensor operations; half-precision ones keep
/// their state in float32.</para>
/// <para>Call <see cref="Step"/> after <c>backward()</c>, never between a forward pass and its backward pass: the fused pass does not
/// count as a change for autograd, so that a mistake gives wrong gradients instead of an error.</para>
/// <para>Move the module to its device and dtype first. Module.to() replaces the parameters, and <see cref="Step"/> then throws.</para>
/// <para>Not safe for concurrent use. The caller disposes it; the parameters stay the module's.</para>
/// </remarks>
public sealed partial class AdamOptimizer : IGatedOptimizer
{
    internal const string TheName = "Adam";

    private const string StepCountKey = "step";
    private readonly List<AdamSlot> slots = [];
    private readonly AdamPass pass;
    private readonly AdamOptions options;
    private readonly AdamScalars scalars;
    private readonly bool allFused;
    private WeightAverage? average;
    private bool disposed;

    /// <summary>An optimizer of all parameters of <paramref name="module"/>, without weight decay.</summary>
    /// <param name="module">The module, already on its device. It keeps the ownership of its parameters.</param>
    /// <param name="options">β1, β2 and ε, or null for the defaults.</param>
    /// <exception cref="ArgumentException">The module has no parameter, or one that is not real floating point.</exception>
    public AdamOptimizer(nn.Module module, AdamOptions? options = null)
        : this([new ParameterGroup((module ?? throw new ArgumentNullException(nameof(module))).named_parameters())], options) { }

    /// <summary>An optimizer of the parameters of <paramref name="groups"/>.</summary>
    /// <param name="groups">The groups; a parameter or a name may occur once only.</param>
    /// <param name="options">β1, β2 and ε, or null for the defaults.</param>
    /// <exception cref="ArgumentException">There is no parameter, one occurs twice, is disposed, or is not real floating point.</exception>
    public AdamOptimizer(IEnumerable<ParameterGroup> groups, AdamOptions? options = null) : this(groups, options, allowFused: true) { }

    internal AdamOptimizer(IEnumerable<ParameterGroup> groups, AdamOptions? options, bool allowFused)
    {
        ArgumentNullException.ThrowIfNull(groups);
        var groupList = groups.ToList();
        Check(groupList);
        this.options = options ?? new AdamOptions();
        scalars = new AdamScalars(this.options);
        foreach (var group in groupList)
            foreach (var (name, parameter) in group.Parameters)
                slots.Add(new AdamSlot(name, parameter, group, allowFused));
        allFused = slots.TrueForAll(slot => slot.Fused);
        StepsByLists = slots.TrueForAll(slot => slot.CanScript && slot.Parameter.device_type == DeviceType.CUDA
            && slot.Parameter.device_index == slots[0].Parameter.device_index);
        pass = new AdamPass(slots.Where(slot => slot.Fused).Select(slot => slot.Length));
    }

    /// <summary>The number of steps that were applied; steps refused for a non-finite gradient do not count.</summary>
    public long StepCount { get; private set; }

    /// <summary>Changes the parameters by one step of Adam, from the gradients that <c>backward()</c> left.</summary>
    /// <param name="learningRate">The learning rate, finite and at least 0; each group multiplies it by its factor.</param>
    /// <param name="maxGradientNorm">
    /// Where the norm of all gradients together exceeds this, they are scaled down to it. Above 0; null for no clipping. The gradient
    /// tensors themselves do not change.
    /// </param>
    /// <returns>
    /// The Euclidean norm of all gradients together, before clipping and without weight decay. Where it is NaN or infinite, no
    /// parameter and no state was changed: check <c>double.IsFinite</c>.
    /// </returns>
    /// <remarks>
    /// A parameter without a gradient is left out, as in PyTorch: neither its value nor its own step count changes.
    /// A parameter on a device costs one transfer of one number a step, for the norm.
    /// On a device without float64 (MPS), gradients count as infinite when their sum of squares exceeds 3e38.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    /// <exception cref="InvalidOperationException">The module was moved or
    /// disposed after this was made, or a gradient is sparse.</exception>
    /// <exception cref="ObjectDisposedException">This optimizer is disposed.</exception>
    public double Step(double learningRate, double? maxGradientNorm = null) => StepAndAverage(learningRate, maxGradientNorm, null);

    /// <summary>
    /// As <see cref="Step"/>, with the update of a moving average of the weights. Parameters that the fused
    /// pass changes are averaged in it; the average does the rest. A refused step does not change the average.
    /// </summary>
    internal double StepAndAverage(double learningRate, double? maxGradientNorm, WeightAverage? weights)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        Require.NotNegative(learningRate, nameof(learningRate));
        if (maxGradientNorm is { } limit) Require.Positive(limit, nameof(maxGradientNorm));
        if (StepsByLists) return StepByLists(learningRate, maxGradientNorm, weights);
        var share = weights?.BeginUpdate() ?? 0;
        if (weights is not null && !ReferenceEquals(average, weights)) Average(weights);
        // Fused slots call no tensor operation, so they need neither; with the two a step would allocate.
        using var noGrad = allFused ? null : no_grad();
        using var scope = allFused ? null : NewDisposeScope();
        pass.Clear();
        try
        {
            foreach (var slot in slots) slot.TakeGradient(pass);
            var norm = Math.Sqrt(SumOfSquares());
            if (!double.IsFinite(norm)) return norm;
            // 1e-6 as in PyTorch's clip_grad_norm_.
            Apply(learningRate, maxGradientNorm is { } most ? Math.Min(1, most / (norm + 1e-6)) : 1, weights is null ? null : share);
            StepCount++;
            weights?.EndUpdate(share);
            return norm;
        }
        finally
        {
            foreach (var slot in slots) slot.ReleaseGradient();
        }
    }

    /// <inheritdoc/>
    public string Name => TheName;

    void IOptimizer.TakeStep(double learningRate) => Step(learningRate);

    /// <summary>Removes the gradients, so that the next <c>backward()</c> starts at zero.</summary>
    /// <exception cref="ObjectDisposedException">This optimizer is disposed.</exception>
    public void ZeroGradients()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        foreach (var slot in slots)
            if (!slot.Parameter.IsInvalid) KernelMemory.ClearGradient(slot.Parameter.Handle);
    }

    /// <summary>A copy of the state, for a checkpoint.</summary>
    /// <returns>
    /// For each parameter <c>exp_avg.NAME</c> and <c>exp_avg_sq.NAME</c> of the parameter's shape and device, and <c>step.NAME</c>;
    /// also <c>step</c>. The step counts are int64 without dimensions on the CPU. The caller disposes the tensors.
    /// </returns>
    /// <exception cref="ObjectDisposedException">This optimizer is disposed.</exception>
    public Dictionary<string, Tensor> StateDict()
    {
        var state = LiveState();
        foreach (var slot in slots)
        {
            state["exp_avg." + slot.Name] = slot.Average.clone();
            state["exp_avg_sq." + slot.Name] = slot.Square.clone();
        }
        return state;
    }

    // a checkpoint reads the moments where they are: on a GPU there may be no room for a copy
    IReadOnlyDictionary<string, Tensor> IOptimizer.StateDict() => LiveState();

    private Dictionary<string, Tensor> LiveState()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var state = new Dictionary<string, Tensor>(StringComparer.Ordinal) { [StepCountKey] = TensorMemory.Int64(StepCount) };
        foreach (var slot in slots)
        {
            state["exp_avg." + slot.Name] = slot.Average;
            state["exp_avg_sq." + slot.Name] = slot.Square;
            state["step." + slot.Name] = TensorMemory.Int64(slot.Steps);
        }
        return state;
    }

    /// <summary>Takes over a state that <see cref="StateDict"/> gave; training then continues bit for bit as it would have.</summary>
    /// <param name="state">The state, on any device. It is copied, not
    /// disposed. The learning rate and the options are not part of it.</param>
    /// <exception cref="ArgumentException">A name, shape or dtype differs, or a step count is negative; nothing was changed.</exception>
    /// <exception cref="ObjectDisposedException">This optimizer is disposed.</exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var expected = new Dictionary<string, (long[], ScalarType)>(StringComparer.Ordinal) { [StepCountKey] = ([], ScalarType.Int64) };
        foreach (var slot in slots)
        {
            expected["exp_avg." + slot.Name] = expected["exp_avg_sq." + slot.Name] = (slot.Average.shape, slot.Average.dtype);
            expected["step." + slot.Name] = ([], ScalarType.Int64);
        }
        TensorMemory.CheckState(state, expected, nameof(AdamOptimizer));
        var count = Count(StepCountKey);
        var counts = slots.ConvertAll(slot => Count("step." + slot.Name));

        using var noGrad = no_grad();
        StepCount = count;
        for (var i = 0; i < slots.Count; i++)
        {
            slots[i].Average.copy_(state["exp_avg." + slots[i].Name]);
            slots[i].Square.copy_(state["exp_avg_sq." + slots[i].Name]);
            slots[i].Steps = counts[i];
        }

        long Count(string name) => state[name].FetchInt64() is >= 0 and var value
            ? value
            : throw new ArgumentException(
                $"The step count '{name}' of the state is negative. Load a state that was saved from {nameof(AdamOptimizer)}.",
                nameof(state));
    }

    /// <summary>Disposes the state. The parameters stay as they are.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        foreach (var slot in slots) slot.Dispose();
    }

    private double SumOfSquares()
    {
        var sum = pass.SumOfSquares();
        if (allFused) return sum;
        Tensor? total = null;
        foreach (var slot in slots)
        {
            if (slot.Fused || !slot.HasGradient) continue;
            if (total is null) total = slot.SumOfSquaresTensor();
            else AdamSlot.Accumulate(total, slot.SumOfSquaresTensor());
        }
        if (total is null) return sum;
        return sum + total.FetchDouble();
    }

    private unsafe void Apply(double learningRate, double gradientScale, double? share, StepGate? gate = null)
    {
        // Nearly always all parameters have taken the same number of steps: two powers for all of them.
        long steps = 0;
        double correction1 = 1, rootCorrection2 = 1;
        foreach (var slot in slots)
        {
            if (!slot.HasGradient) continue;
            if (++slot.Steps != steps)
            {
                steps = slot.Steps;
                correction1 = 1 - Math.Pow(options.Beta1, steps);
                rootCorrection2 = Math.Sqrt(1 - Math.Pow(options.Beta2, steps));
            }
            var step = new AdamStep(options.Beta1, options.Beta2, options.Epsilon, slot.Group.WeightDecay, gradientScale,
                learningRate * slot.Group.LearningRateFactor / correction1, rootCorrection2);
            if (gate is not null) slot.ApplyTensors(scalars, step, gate);
            else if (!slot.Fused) slot.ApplyTensors(scalars, step);
            else
                pass.SetStep(slot.Block, step, share is null || slot.WeightAverage is null ? null : slot.WeightAverage.TakeUpdate(), share
                    ?? 0);
        }
        pass.Apply();
    }

    // Which parameters the average holds, found once: their tensors do not change while both live.
    private void Average(WeightAverage weights)
    {
        average = weights;
        foreach (var slot in slots) slot.WeightAverage = slot.Fused ? weights.FusedSlot(slot.Parameter) : null;
    }

    private static void Check(List<ParameterGroup> groups)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var handles = new HashSet<IntPtr>();
        Internal.Check.Items(groups, nameof(groups), "Group");
        foreach (var (name, parameter) in groups.SelectMany(group => group.Parameters))
        {
            if (parameter is null || parameter.IsInvalid)
                throw new ArgumentException(
                    $"The parameter '{name}' is null or disposed. Read named_parameters() after the module was moved.", nameof(groups));
            if (parameter.dtype is not (ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
                throw new ArgumentException(
                    $"The parameter '{name}' has dtype {parameter.dtype}; a real floating-point dtype was expected. Leave it out.",
                    nameof(groups));
            if (!names.Add(name) || !handles.Add(parameter.Handle))
                throw new ArgumentException($"The parameter '{name}' occurs twice. Put each parameter into one group, under its own name.",
                    nameof(groups));
        }
        if (names.Count == 0)
            throw new ArgumentException("There is no parameter to optimize. Pass named_parameters() of a module that has some.",
                nameof(groups));
    }
}
