using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>An <see cref="IFitsData"/> that takes its numbers from the data of all processes, if each has a part of them.</summary>
internal interface IFitsParts : IFitsData
{
    /// <summary>As <see cref="IFitsData.Fit"/>, to the data of all.</summary>
    /// <param name="batches">Those of this process.</param>
    /// <param name="group">Who has the others; null if this process has all.</param>
    void Fit(IEnumerable<Tensor> batches, ProcessGroup? group);
}
