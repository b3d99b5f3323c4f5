using System.Runtime.InteropServices;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Affine maps of vectors and images and their log-determinants in one pass. Parameters (N, 2·C, ...) hold all r, then all t.</summary>
internal static unsafe class AffineKernel
{
    /// <summary>Whether the kernel takes these: float32 on the CPU, evenly spaced; one a in all, one a channel or one a feature.</summary>
    public static bool Takes(Tensor x, Tensor parameters, Tensor? scale)
    {
        if (!KernelSwitches.Affine || AffineLayout.Of(x) is null || AffineLayout.Of(parameters) is null || parameters.dim() != x.dim()) return false;
        var (size, given) = (x.shape, parameters.shape);
        if (given[0] != size[0] || given[1] != 2 * size[1] || x.numel() == 0) return false;
        for (var d = 2; d < size.Length; d++) if (given[d] != size[d]) return false;
        return scale is null || (scale.dtype == ScalarType.Float32 && KernelMemory.IsContiguous(scale) && (scale.numel() == 1 || (scale.numel() == size[1] && scale.shape[0] == size[1])));
    }

    /// <summary>y, contiguous, and the log-determinant (N), with gradients where they are wanted.</summary>
    public static (Tensor Y, Tensor LogDet) Run(AffineForm form, Tensor x, Tensor parameters, Tensor? scale, Func<Tensor, Tensor, Tensor?, (Tensor, Tensor)> twin)
    {
        if (!is_grad_enabled() || !(x.requires_grad || parameters.requires_grad || scale is { requires_grad: true })) return Forward(form, x, parameters, scale);
        var outputs = scale is null ? AffineFunction.Apply(x, parameters, form, twin) : AffineFunction.Apply(x, parameters, scale, form, twin);
        return (outputs[0], outputs[1]);
    }

    internal static (Tensor Y, Tensor LogDet) Forward(AffineForm form, Tensor x, Tensor parameters, Tensor? scale)
    {
        var job = new Job(x, parameters, scale);
        Tensor y = empty(x.shape, dtype: ScalarType.Float32, device: CPU), logDet = empty(job.Examples, dtype: ScalarType.Float32, device: CPU);
        float* py = KernelMemory.Pointer<float>(y), pl = KernelMemory.Pointer<float>(logDet);
        KernelThreads.For(job.Examples, (double)job.Examples * job.Channels * job.Length, 1 << 13, (start, end) =>
        {
            var room = NativeMemory.AlignedAlloc(4 * AffineBlock.Size * sizeof(float), 64);
            float* bx = (float*)room, br = bx + AffineBlock.Size, bt = br + AffineBlock.Size, ba = bt + AffineBlock.Size;
            for (var n = start; n < end; n++)
            {
                double sum = 0;
                for (var c = 0; c < job.Channels; c++)
                    for (var i = 0; i < job.Length; i += AffineBlock.Size)
                    {
                        var count = Math.Min(AffineBlock.Size, job.Length - i);
                        job.Load(n, c, i, count, bx, br, bt, ba);
                        sum += AffineBlock.Forward(form, bx, br, bt, ba, count);
                        Buffer.MemoryCopy(bx, py + ((((n * job.Channels) + c) * job.Length) + i), count * sizeof(float), count * sizeof(float));
                    }
                pl[n] = (float)(form.Direction * sum);
            }
            NativeMemory.AlignedFree(room);
        });
        job.KeepAlive();
        return (y, logDet);
    }

    /// <summary>The gradients of x, parameters and, by example, of a: (N, 1), (N, C) or (N, D); that one null where there is no a.</summary>
    internal static (Tensor X, Tensor Parameters, Tensor? Scale) Backward(AffineForm form, Tensor x, Tensor parameters, Tensor? scale, Tensor gradient, Tensor logDetGradient)
    {
        var job = new Job(x, parameters, scale);
        var g = gradient.contiguous();
        var gl = logDetGradient.contiguous();
        Tensor dx = empty(x.shape, dtype: ScalarType.Float32, device: CPU), dp = ChannelsLast.Is(parameters) ? empty_like(parameters) : empty(parameters.shape, dtype: ScalarType.Float32, device: CPU);
        var width = job.ScaleCount;
        var da = scale is null ? null : zeros([job.Examples, width], dtype: ScalarType.Float32, device: CPU);
        float* pdx = KernelMemory.Pointer<float>(dx), pdp = KernelMemory.Pointer<float>(dp), pg = KernelMemory.Pointer<float>(g);
        float* pl = KernelMemory.Pointer<float>(gl), pda = da is null ? null : KernelMemory.Pointer<float>(da);
        var to = AffineLayout.Of(dp)!.Value;
        var half = x.dim() == 2 ? x.shape[1] * to.Step : x.shape[1] * to.Channel;
        KernelThreads.For(job.Examples, (double)job.Examples * job.Channels * job.Length, 1 << 12, (start, end) =>
        {
            var room = NativeMemory.AlignedAlloc(5 * AffineBlock.Size * sizeof(float), 64);
            float* bx = (float*)room, br = bx + AffineBlock.Size, bt = br + AffineBlock.Size, ba = bt + AffineBlock.Size, bg = ba + AffineBlock.Size;
            for (var n = start; n < end; n++)
                for (var c = 0; c < job.Channels; c++)
                    for (var i = 0; i < job.Length; i += AffineBlock.Size)
                    {
                        var count = Math.Min(AffineBlock.Size, job.Length - i);
                        var at = (((n * job.Channels) + c) * job.Length) + i;
                        job.Load(n, c, i, count, bx, br, bt, ba);
                        AffineLayout.Load(pg + at, 1, bg, count);
                        AffineBlock.Backward(form, bx, br, bt, ba, bg, pl[n], count);
                        Buffer.MemoryCopy(bx, pdx + at, count * sizeof(float), count * sizeof(float));
                        var p = pdp + (n * to.Batch) + (c * to.Channel) + (i * to.Step);
                        AffineLayout.Store(br, p, to.Step, count);
                        AffineLayout.Store(bt, p + half, to.Step, count);
                        if (pda != null) job.AddScale(ba, pda + (n * width), c, i, count);
                    }
            NativeMemory.AlignedFree(room);
        });
        job.KeepAlive();
        GC.KeepAlive(g);
        GC.KeepAlive(gl);
        return (dx, dp, da);
    }

    /// <summary>The gradient of a from those by example. A scale beyond its limit acts as if it were at it, so nothing moves it.</summary>
    internal static Tensor OfScale(Tensor byExample, Tensor scale) =>
        byExample.sum([0L]).reshape(scale.shape).mul(scale.abs().le(Internal.Scalars.Of(AffineForm.MaxLogScale)).to(scale.dtype));

    /// <summary>The inputs: N examples of C runs of some length; a vector is one run.</summary>
    private sealed class Job
    {
        private readonly Tensor x, parameters;
        private readonly AffineLayout layout, parameter_layout;
        private readonly float* values, raw, shifts;
        private readonly float[] scales;

        public Job(Tensor x, Tensor parameters, Tensor? scale)
        {
            (this.x, this.parameters) = (x, parameters);
            (layout, parameter_layout) = (AffineLayout.Of(x)!.Value, AffineLayout.Of(parameters)!.Value);
            var size = x.shape;
            IsVector = size.Length == 2;
            (Examples, Channels, Length) = IsVector ? (size[0], 1, (int)size[1]) : (size[0], (int)size[1], checked((int)(size[2] * size[3])));
            values = KernelMemory.Pointer<float>(x);
            raw = KernelMemory.Pointer<float>(parameters);
            shifts = raw + (IsVector ? size[1] * parameter_layout.Step : size[1] * parameter_layout.Channel);
            scales = [];
            if (scale is null) return;
            const float limit = (float)AffineForm.MaxLogScale;
            scales = new ReadOnlySpan<float>(KernelMemory.Pointer<float>(scale), (int)scale.numel()).ToArray();
            for (var i = 0; i < scales.Length; i++) scales[i] = Math.Clamp(scales[i], -limit, limit);
            GC.KeepAlive(scale);
        }

        public bool IsVector { get; }

        public long Examples { get; }

        public int Channels { get; }

        public int Length { get; }

        public int ScaleCount => scales.Length;

        public void Load(long n, int c, int i, int count, float* bx, float* br, float* bt, float* ba)
        {
            AffineLayout.Load(values + (n * layout.Batch) + (c * layout.Channel) + (i * layout.Step), layout.Step, bx, count);
            var offset = (n * parameter_layout.Batch) + (c * parameter_layout.Channel) + (i * parameter_layout.Step);
            AffineLayout.Load(raw + offset, parameter_layout.Step, br, count);
            AffineLayout.Load(shifts + offset, parameter_layout.Step, bt, count);
            // what fills the last vector up is computed and thrown away
            for (var k = count; k % 16 != 0; k++) bx[k] = br[k] = bt[k] = 0;
            if (scales.Length == 0) return;
            if (IsVector && scales.Length > 1) scales.AsSpan(i, count).CopyTo(new Span<float>(ba, count));
            else new Span<float>(ba, count).Fill(scales[scales.Length == 1 ? 0 : c]);
            for (var k = count; k % 16 != 0; k++) ba[k] = 0;
        }

        public void AddScale(float* block, float* into, int c, int i, int count)
        {
            if (IsVector && scales.Length > 1)
            {
                new ReadOnlySpan<float>(block, count).CopyTo(new Span<float>(into + i, count));
                return;
            }
            double sum = 0;
            for (var k = 0; k < count; k++) sum += block[k];
            into[scales.Length == 1 ? 0 : c] += (float)sum;
        }

        public void KeepAlive()
        {
            GC.KeepAlive(x);
            GC.KeepAlive(parameters);
        }
    }
}

/// <summary><see cref="AffineKernel"/> with its gradient.</summary>
internal sealed class AffineFunction : KernelFunction<AffineFunction>
{
    private const string FormKey = "form", TwinKey = "twin";

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.OfType<Tensor>().ToList();
        var form = arguments.OfType<AffineForm>().Single();
        var (y, logDet) = AffineKernel.Forward(form, tensors[0], tensors[1], tensors.ElementAtOrDefault(2));
        context.save_data(FormKey, form);
        context.save_data(TwinKey, arguments[^1]);
        context.save_for_backward(tensors);
        return [y, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var form = (AffineForm)context.get_data(FormKey);
        var scale = saved.ElementAtOrDefault(2);
        if (is_grad_enabled())
        {
            var twin = (Func<Tensor, Tensor, Tensor?, (Tensor, Tensor)>)context.get_data(TwinKey);
            return [.. KernelTwin.Differentiate(i => { var (y, l) = twin(i[0], i[1], i.ElementAtOrDefault(2)); return [y, l]; }, saved, gradients), null, null];
        }
        var (x, parameters, byExample) = AffineKernel.Backward(form, saved[0], saved[1], scale, gradients[0], gradients[1]);
        return scale is null ? [x, parameters, null, null] : [x, parameters, AffineKernel.OfScale(byExample!, scale), null, null];
    }
}
