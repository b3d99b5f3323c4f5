using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A number of parameters and context whose ranks simulation-based calibration looks at, such as a likelihood
/// (Modrák et al. 2023, https://arxiv.org/abs/2211.02383, which shows that those which depend on the context find what parameters
/// alone do not).</summary>
/// <param name="Name">What it is called in results.</param>
/// <param name="Values">Gives (K) numbers of parameters (K, ...) and of contexts (K, ...), or null without contexts. It disposes and
/// changes no argument. It is called with true values and with draws, and must not know which.</param>
public sealed record TestQuantity(string Name, Func<Tensor, Tensor?, Tensor> Values)
{
    /// <summary>What log p is called among quantities.</summary>
    internal const string LogProb = "log p";

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(TestQuantity), PrintMembers);
}
