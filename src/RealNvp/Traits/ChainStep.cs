using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A layer as one step of a chain that runs as one: value, log-determinant and gradients on memory,
/// without a tensor or a node of autograd in between.</summary>
/// <remarks>
/// <para>A layer gives it by <see cref="IJoinsChain"/>, for one call. All numbers are float32 on the CPU: N rows of D features, row
/// after row, and so many come out as go in. The row of an image (C, H, W) is its C·H·W numbers, channel by channel.</para>
/// <para>A step holds no results: what <see cref="Backward"/> needs is written to <see cref="ChainRows.Tape"/>. Both may be called again
/// with other memory. An exception in <see cref="Backward"/> makes gradients NaN and is thrown at the caller's next line, as in any
/// kernel.</para>
/// </remarks>
public abstract class ChainStep
{
    /// <summary>The tensors that it computes with beside its input and the context: weights, and constants such as masks. Each is
    /// float32, contiguous and on the CPU, or the layer runs alone. Gradients go to those that require them.</summary>
    public virtual IReadOnlyList<Tensor> Weights => [];

    /// <summary>Whether the log-determinant is not 0 for every input.</summary>
    public virtual bool HasLogDet => true;

    /// <summary>How many numbers <see cref="Backward"/> needs of <see cref="Forward"/> for so many rows.</summary>
    /// <param name="rows">N.</param>
    public virtual long TapeSize(int rows) => 0;

    /// <summary>Writes the value, adds the log-determinants to those of the steps before, and writes the tape if there is one.</summary>
    /// <param name="rows">Where all of it is.</param>
    public abstract void Forward(in ChainRows rows);

    /// <summary>Writes the gradients that are wanted; adds to that of the context.</summary>
    /// <param name="rows">Where all of it is.</param>
    public abstract void Backward(in ChainGradients rows);

    /// <summary>The same in tensor operations, for gradients of gradients. Runs in a dispose scope.</summary>
    /// <param name="input">(N, D) or (N, C, H, W), as <see cref="IJoinsChain.StepFor"/> got.</param>
    /// <param name="context">(N, C); null if the chain has none.</param>
    /// <param name="weights">Stand for <see cref="Weights"/>.</param>
    /// <returns>The value of the same shape, and the log-determinant (N) or null for 0.</returns>
    public abstract (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights);
}
