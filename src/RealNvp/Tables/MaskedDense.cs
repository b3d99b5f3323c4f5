using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tables;

/// <summary>A linear layer of which some weights have no effect.</summary>
internal sealed class MaskedDense : nn.Module<Tensor, Tensor>
{
    private readonly Linear linear;
    private readonly Constant mask;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputs">For each input its position in the order of the columns, or that of a hidden unit.</param>
    /// <param name="outputs">For each output its position.</param>
    /// <param name="sees">Whether an output of a position may see an input of a position.</param>
    /// <param name="zero">Whether it gives zeros until it is trained.</param>
    public MaskedDense(long[] inputs, long[] outputs, Func<long, long, bool> sees, bool zero = false) : base(nameof(MaskedDense))
    {
        linear = zero ? Weights.ZeroLinear(inputs.Length, outputs.Length) : Weights.Linear(inputs.Length, outputs.Length);
        var allowed = new float[outputs.Length * inputs.Length];
        for (var o = 0; o < outputs.Length; o++)
            for (var i = 0; i < inputs.Length; i++) allowed[(o * inputs.Length) + i] = sees(outputs[o], inputs[i]) ? 1 : 0;
        using (NewDisposeScope())
            mask = new Constant(tensor(allowed, [outputs.Length, inputs.Length], device: CPU).to(get_default_dtype()));
        RegisterComponents();
    }

    /// <summary>(N, inputs) to (N, outputs).</summary>
    public override Tensor forward(Tensor input)
    {
        using var weight = linear.weight!.mul(mask.Value);
        return nn.functional.linear(input, weight, linear.bias);
    }

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        mask.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) mask.Dispose();
        base.Dispose(disposing);
    }
}
