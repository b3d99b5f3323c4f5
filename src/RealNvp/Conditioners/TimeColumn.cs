using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Times as a column of a matrix.</summary>
internal static class TimeColumn
{
    /// <summary>(N, 1); or (1, 1) if a solver gives all examples one time by an
    /// expanded tensor, so that what depends on time alone is computed once.</summary>
    public static Tensor Of(Tensor t) => (t.size(0) > 1 && t.stride(0) == 0 ? t.narrow(0, 0, 1) : t).unsqueeze(1);
}
