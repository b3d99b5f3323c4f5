using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>What has no graph, with the reason; docs/onnx.md has the same list.</summary>
internal static class OnnxRefusals
{
    public static readonly IReadOnlyDictionary<string, string> Layers = new Dictionary<string, string>
    {
        [nameof(ResidualLayer)] = "its log-determinant is that of a Jacobian, and its inverse a search",
        [nameof(ContinuousLayer)] = "it solves a differential equation with steps that each example chooses",
    };

    /// <summary>The class of the layer, or of a part of it, that has no graph; null if all have one.</summary>
    public static string? Of(nn.Module module, bool inverse) =>
        module.modules().Prepend(module).Select(m => m.GetType().Name).FirstOrDefault(Layers.ContainsKey);
}
