using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The tensors of a residual block, and how its weights are normalized.</summary>
/// <param name="Program">The network g.</param>
/// <param name="X">(N, D).</param>
/// <param name="Shift">(N, H), added to the result of the first layer; or null.</param>
/// <param name="Weights">(outputs, inputs) of each layer, as they are learned.</param>
/// <param name="Biases">(outputs) of each layer.</param>
/// <param name="Betas">β of each activation before softplus, (1); null if there is none.</param>
/// <param name="Norms">The singular value of each weight; null for a weight that is used as it is.</param>
internal sealed record ResidualTensors(ResidualProgram Program, Tensor X, Tensor? Shift, Tensor[] Weights, Tensor[] Biases,
    Tensor?[] Betas, SpectralPair?[] Norms)
{
    /// <summary>All in one list: x, the shift if there is one; then of each layer weight, bias and β if there is one.</summary>
    public List<Tensor> All
    {
        get
        {
            var all = new List<Tensor>(2 + (3 * Weights.Length)) { X };
            if (Shift is not null) all.Add(Shift);
            for (var i = 0; i < Weights.Length; i++)
            {
                all.Add(Weights[i]);
                all.Add(Biases[i]);
                if (Betas[i] is { } beta) all.Add(beta);
            }
            return all;
        }
    }

    /// <summary>The same with the tensors of a list.</summary>
    public static ResidualTensors From(ResidualProgram program, IReadOnlyList<Tensor> all, bool hasShift, SpectralPair?[] norms)
    {
        var (at, layers) = (hasShift ? 2 : 1, program.Steps.Length);
        var (weights, biases, betas) = (new Tensor[layers], new Tensor[layers], new Tensor?[layers]);
        for (var i = 0; i < layers; i++)
        {
            (weights[i], biases[i]) = (all[at], all[at + 1]);
            at += 2;
            if (program.Steps[i].HasBeta) betas[i] = all[at++];
        }
        return new(program, all[0], hasShift ? all[1] : null, weights, biases, betas, norms);
    }
}

/// <summary>A residual block z = x + g(x) of vectors with its log-determinant as one operation.</summary>
internal static class ResidualBlock
{
    /// <summary>The most inputs or outputs of a layer: wider ones are the work of a library of products.</summary>
    public const int Widest = 1024;

    /// <summary>Whether the kernel can run.</summary>
    /// <param name="program">The network.</param>
    /// <param name="x">The input.</param>
    /// <param name="weights">The weights of the layers.</param>
    /// <param name="biases">Their biases.</param>
    /// <param name="betas">β of each activation.</param>
    /// <param name="logDet">Whether the log-determinant is asked for.</param>
    public static bool CanRun(ResidualProgram program, Tensor x, ReadOnlySpan<Tensor?> weights, ReadOnlySpan<Tensor?> biases,
        ReadOnlySpan<Tensor?> betas, bool logDet) => KernelSwitches.Residual
        && x.dim() == 2 && x.size(0) is > 0 and <= int.MaxValue && x.size(1) == program.Features
        && program.Widest <= Widest && (!logDet || program.Features <= ResidualDeterminant.Most)
        && x.dtype is ScalarType.Float32 or ScalarType.Float64 && x.device_type == DeviceType.CPU && !x.is_sparse
        && AreReadable(program, x.dtype, weights, biases, betas);

    private static bool AreReadable(ResidualProgram program, ScalarType dtype, ReadOnlySpan<Tensor?> weights, ReadOnlySpan<Tensor?> biases,
        ReadOnlySpan<Tensor?> betas)
    {
        for (var i = 0; i < program.Steps.Length; i++)
        {
            var step = program.Steps[i];
            if (weights[i] is { } weight && !KernelMemory.Is(weight, dtype, step.Outputs, step.Inputs)) return false;
            if (biases[i] is { } bias && !KernelMemory.Is(bias, dtype, step.Outputs)) return false;
        }
        foreach (var beta in betas)
            if (beta is not null && !(beta.numel() == 1 && beta.dtype == dtype && KernelMemory.IsContiguous(beta))) return false;
        return true;
    }

    /// <summary>z (N, D) and log|det ∂z/∂x| (N), null if it is not wanted; with a graph if gradients are on and something requires one.
    /// Runs in the caller's scope.</summary>
    public static (Tensor Z, Tensor? LogDet) Run(ResidualTensors tensors, bool wantsLogDet)
    {
        var all = tensors.All;
        if (!is_grad_enabled() || !all.Exists(t => t.requires_grad)) return Forward(tensors, wantsLogDet, null);
        var results = ResidualFunction.Apply([.. all, tensors.Program, tensors.Norms, tensors.Shift is not null, wantsLogDet]);
        return (results[0], wantsLogDet ? results[1] : null);
    }

    /// <summary>The x with x + g(x) = y, without a graph.</summary>
    /// <param name="tensors">The network; its X is y.</param>
    /// <param name="steps">The most steps.</param>
    /// <param name="least">The residual that is small enough for small numbers.</param>
    /// <param name="ulps">A residual that is small enough for large ones, in units of the last place of a number of [1, 2).</param>
    public static (Tensor X, ResidualMiss Miss) Search(ResidualTensors tensors, int steps, double least, double ulps)
    {
        var x = empty_like(tensors.X, requires_grad: false);
        var miss = tensors.X.dtype == ScalarType.Float32 ? Search<float>(tensors, x, steps, least, ulps * Math.ScaleB(1, -23), 1e-6)
            : Search<double>(tensors, x, steps, least, ulps * Math.ScaleB(1, -52), 1e-12);
        return (x, miss);
    }

    /// <summary>The values, without a graph; the tape gets what gradients need.</summary>
    public static (Tensor Z, Tensor? LogDet) Forward(ResidualTensors tensors, bool wantsLogDet, Func<long, Tensor>? tape)
    {
        var z = empty_like(tensors.X, requires_grad: false);
        var logDet = wantsLogDet ? empty(tensors.X.size(0), dtype: z.dtype, device: z.device) : null;
        if (z.dtype == ScalarType.Float32) Forward<float>(tensors, z, logDet, tape);
        else Forward<double>(tensors, z, logDet, tape);
        return (z, logDet);
    }

    /// <summary>Pointers of a call.</summary>
    public static unsafe ResidualCall<T> Call<T>(ResidualTensors tensors, bool wantsLogDet)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var layers = tensors.Weights.Length;
        var (weights, biases, betas) = (new T*[layers], new T*[layers], new double[layers]);
        for (var i = 0; i < layers; i++)
        {
            weights[i] = KernelMemory.Pointer<T>(tensors.Weights[i]);
            biases[i] = KernelMemory.Pointer<T>(tensors.Biases[i]);
            betas[i] = tensors.Betas[i] is { } beta ? Softplus(double.CreateTruncating(*KernelMemory.Pointer<T>(beta))) : 1;
        }
        return new(tensors.Program, (int)tensors.X.size(0), wantsLogDet ? tensors.Program.Features : 0)
        {
            X = KernelMemory.Pointer<T>(tensors.X),
            Shift = tensors.Shift is { } shift ? KernelMemory.Pointer<T>(shift) : null,
            Weights = weights,
            Biases = biases,
            Betas = betas,
            Scales = Array.ConvertAll(tensors.Norms, n => n?.Scale ?? 1),
        };
    }

    // log(1 + eᵃ) without overflow
    private static double Softplus(double a) => Math.Max(a, 0) + Math.Log(1 + Math.Exp(-Math.Abs(a)));

    private static unsafe void Forward<T>(ResidualTensors tensors, Tensor z, Tensor? logDet, Func<long, Tensor>? tape)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var call = Call<T>(tensors, logDet is not null);
        var written = tape?.Invoke(call.TapeSize);
        call.Pack(Shared<T>(call.PackedSize), backward: false);
        ResidualForward.Run(call, written is null ? null : KernelMemory.Pointer<T>(written), KernelMemory.Pointer<T>(z),
            logDet is null ? null : KernelMemory.Pointer<T>(logDet));
        GC.KeepAlive(tensors);
    }

    private static unsafe ResidualMiss Search<T>(ResidualTensors tensors, Tensor x, int steps, double least, double ulps, double ridge)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var call = Call<T>(tensors, wantsLogDet: false);
        call.Pack(Shared<T>(call.PackedSize), backward: false);
        var miss = ResidualSearch.Run(call, KernelMemory.Pointer<T>(x), steps, least, ulps, ridge);
        GC.KeepAlive(tensors);
        return miss;
    }

    private static unsafe T* Shared<T>(long elements) where T : unmanaged => (T*)KernelScratch.Shared(elements * sizeof(T) / sizeof(float));
}
