using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>f(a) = a·σ(βa)·c, and f′(a)·t of tangents t, in one pass: the
/// kernel where it can run, and plain operations elsewhere.</summary>
internal sealed class SwishFunction : KernelFunction<SwishFunction>
{
    private const string FactorKey = "factor";
    private const double Grain = 2e4;

    /// <summary>(N, H) and, if there are tangents (N, D, H), these pushed through. Runs in the caller's scope.</summary>
    /// <param name="input">(N, H), or of any other shape if there are no tangents.</param>
    /// <param name="tangents">(N, D, H), or null.</param>
    /// <param name="beta">β, one number, positive.</param>
    /// <param name="factor">c.</param>
    public static (Tensor Value, Tensor? Tangents) Run(Tensor input, Tensor? tangents, Tensor beta, double factor)
    {
        if (!CanRun(input, tangents, beta))
        {
            var all = Reference(tangents is null ? [input, beta] : [input, tangents, beta], factor);
            return (all[0], tangents is null ? null : all[1]);
        }
        input = input.contiguous();
        tangents = tangents?.contiguous();
        var differentiable = is_grad_enabled() && (input.requires_grad || tangents is { requires_grad: true } || beta.requires_grad);
        object[] arguments = tangents is null ? [input, beta, factor] : [input, tangents, beta, factor];
        var results = differentiable ? Apply(arguments) : Forward(input, tangents, beta, factor);
        return (results[0], tangents is null ? null : results[1]);
    }

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.OfType<Tensor>().ToList();
        context.save_data(FactorKey, arguments[^1]);
        context.save_for_backward(tensors);
        return Forward(tensors[0], tensors.Count > 2 ? tensors[1] : null, tensors[^1], (double)arguments[^1]);
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var factor = (double)context.get_data(FactorKey);
        if (is_grad_enabled()) return [.. KernelReference.Differentiate(inputs => Reference(inputs, factor), saved, gradients), null];
        var (input, tangents, beta) = (saved[0], saved.Count > 2 ? saved[1] : null, saved[^1]);
        var (value, pushed) = (gradients[0].contiguous(), tangents is null ? null : gradients[1].contiguous());
        var (ofInput, ofTangents) = (empty_like(input), tangents is null ? null : empty_like(tangents));
        var ofBeta = input.dtype == ScalarType.Float32 ? Backward<float>(input, tangents, beta, factor, value, pushed, ofInput, ofTangents)
            : Backward<double>(input, tangents, beta, factor, value, pushed, ofInput, ofTangents);
        using var sum = Scalars.New(ofBeta);
        var gradient = full_like(beta, sum, requires_grad: false);
        return ofTangents is null ? [ofInput, gradient, null] : [ofInput, ofTangents, gradient, null];
    }

    private static bool CanRun(Tensor input, Tensor? tangents, Tensor beta) => KernelSwitches.Dense && input.device_type == DeviceType.CPU
        && input.dtype is ScalarType.Float32 or ScalarType.Float64 && beta.dtype == input.dtype && beta.numel() == 1
        && input.dim() >= 2 && input.numel() > 0
        && (tangents is null || tangents.dtype == input.dtype);

    private static List<Tensor> Forward(Tensor input, Tensor? tangents, Tensor beta, double factor)
    {
        var (value, pushed) = (empty_like(input), tangents is null ? null : empty_like(tangents));
        if (input.dtype == ScalarType.Float32) Forward<float>(input, tangents, beta, factor, value, pushed);
        else Forward<double>(input, tangents, beta, factor, value, pushed);
        return pushed is null ? [value] : [value, pushed];
    }

    private static unsafe void Forward<T>(Tensor input, Tensor? tangents, Tensor beta, double factor, Tensor value, Tensor? pushed)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var call = Call<T>(input, tangents, beta, factor);
        call.Value = KernelMemory.Pointer<T>(value);
        call.Pushed = pushed is null ? null : KernelMemory.Pointer<T>(pushed);
        KernelThreads.For(input.numel() / call.Width, input.numel() * (1.0 + (0.3 * call.Count)), Grain,
            (start, end) => SwishKernel.Forward(call, start, end));
        GC.KeepAlive(input);
        GC.KeepAlive(tangents);
    }

    private static unsafe double Backward<T>(Tensor input, Tensor? tangents, Tensor beta, double factor, Tensor value, Tensor? pushed,
        Tensor ofInput, Tensor? ofTangents)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var call = Call<T>(input, tangents, beta, factor);
        call.ValueGradient = KernelMemory.Pointer<T>(value);
        call.TangentGradient = pushed is null ? null : KernelMemory.Pointer<T>(pushed);
        call.Value = KernelMemory.Pointer<T>(ofInput);
        call.Pushed = ofTangents is null ? null : KernelMemory.Pointer<T>(ofTangents);
        var rows = input.numel() / call.Width;
        // a sum for each row, so that threads change no digits
        var sums = new double[rows];
        KernelThreads.For(rows, input.numel() * (1.5 + (0.5 * call.Count)), Grain, (start, end) =>
        {
            for (var row = start; row < end; row++) sums[row] = SwishKernel.Backward(call, row, row + 1);
        });
        foreach (var tensor in new[] { input, tangents, value, pushed }) GC.KeepAlive(tensor);
        return sums.Sum();
    }

    private static unsafe SwishKernel.Call<T> Call<T>(Tensor input, Tensor? tangents, Tensor beta, double factor) where T : unmanaged =>
        new()
    {
        Input = KernelMemory.Pointer<T>(input),
        Tangents = tangents is null ? null : KernelMemory.Pointer<T>(tangents),
        Width = input.numel() / input.size(0),
        Count = tangents is null ? 0 : (int)tangents.size(1),
        Beta = typeof(T) == typeof(float) ? *KernelMemory.Pointer<float>(beta) : *KernelMemory.Pointer<double>(beta),
        Factor = factor,
    };

    /// <summary>The same in plain operations: (input, beta), or (input, tangents, beta).</summary>
    private static List<Tensor> Reference(IReadOnlyList<Tensor> inputs, double factor)
    {
        var (x, beta, part) = (inputs[0], inputs[^1], Scalars.Of(factor));
        var scaled = x.mul(beta);
        var s = scaled.sigmoid();
        var value = x.mul(s).mul(part);
        if (inputs.Count == 2) return [value];
        var slope = Slope(scaled, s).mul(part);
        return [value, inputs[1].mul(slope.unsqueeze(1))];
    }

    /// <summary>s·(1 + u·(1 − s)): where s is 0 or 1 the product with u is 0, however large that is.</summary>
    internal static Tensor Slope(Tensor scaled, Tensor s) =>
        s.add(scaled.mul(s.mul(s.neg().add(Scalars.One, Scalars.One))), Scalars.One);
}
