namespace RealNvp;

/// <summary>A layer of vectors that can map one row of numbers without tensors, which a call for few rows then uses: see
/// docs/performance.md. It changes what a call costs, not what it gives.</summary>
/// <remarks>
/// A flow whose layers all do it, as most of this library do, answers a few rows within microseconds. A layer of yours that does not
/// implement this works as before, and so does the flow around it. It is asked in evaluation mode, from several threads at once.
/// The result must be that of <see cref="Bijection.Forward(TorchSharp.torch.Tensor, TorchSharp.torch.Tensor)"/> and
/// <see cref="Bijection.Inverse(TorchSharp.torch.Tensor, TorchSharp.torch.Tensor)"/>, up to rounding, with the weights as they are now.
/// </remarks>
public interface IMapsRows
{
    /// <summary>Maps a row in its place.</summary>
    /// <param name="row">D numbers x, which become z; or z, which become x. A flow of float32 gives numbers of float32, and rounds the
    /// result.</param>
    /// <param name="context">C numbers; empty if the flow has no context.</param>
    /// <param name="inverse">Latents to data in place of data to latents.</param>
    /// <returns>log|det| of the map that was applied; NaN sends the call on to the tensors, as for values that
    /// <see cref="Bijection.CheckData"/> refuses, and minus infinity does so outside of the domain.</returns>
    double MapRow(Span<double> row, ReadOnlySpan<double> context, bool inverse);
}
