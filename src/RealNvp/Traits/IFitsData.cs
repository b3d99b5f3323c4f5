using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A layer or an encoder with numbers that are taken from data once, before training, rather than trained: a
/// standardization, for example. It is a <see cref="Bijection"/> or a <see cref="ContextEncoder"/> of a <see cref="Flow"/>.
/// </summary>
/// <remarks>
/// <para>Before its first step a <see cref="Trainer"/> gives each layer that is not fitted the
/// training data, as they arrive at that layer. A fitted one stays as it is, so training on, with
/// other data, leaves it alone; <see cref="Trainer.FitLayers"/> fits it again on request.</para>
/// <para>Keep the numbers and whether they were set in buffers, so that files hold both.</para>
/// </remarks>
public interface IFitsData
{
    /// <summary>Whether the numbers were taken from data, in this run or in the one whose state was loaded.</summary>
    bool IsFitted { get; }

    /// <summary>Takes the numbers from data, in place of those that it has. Afterwards <see cref="IsFitted"/> is true.</summary>
    /// <param name="batches">
    /// The examples in batches (N, ...), as they arrive at the layer, on the device of the weights. A batch is
    /// alive until the next one is asked for; do not dispose it. The sequence may be enumerated again for a second
    /// pass. Hold no dispose scope open from one batch to the next: it would catch what a data loader makes.
    /// </param>
    /// <exception cref="ArgumentException">The data cannot be used; the layer is as before.</exception>
    void Fit(IEnumerable<Tensor> batches);
}
