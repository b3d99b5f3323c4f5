using System.Text.RegularExpressions;
using RealNvp.Onnx;
using RealNvp.Tests.Infrastructure;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>What has no graph, with the reason; docs/onnx.md has the same list.</summary>
internal static partial class OnnxRefusals
{
    public static readonly IReadOnlyDictionary<string, string> Layers = new Dictionary<string, string>
    {
        [nameof(ResidualLayer)] =
            "beyond `ResidualLogDet.ExactUpTo` features its log-determinant is estimated with random vectors; and with " +
            "a network that is no `IOnnxJacobian`, as a `LipschitzMlp` is, nobody says its Jacobian",
        [nameof(ContinuousLayer)] = "it solves a differential equation with steps that each example chooses",
    };

    /// <summary>The class of the layer, or of a part of it, that has no graph; null if all have one.</summary>
    public static string? Of(nn.Module module) =>
        module.modules().Prepend(module).FirstOrDefault(HasNone)?.GetType().Name;

    /// <summary>The table of the guide.</summary>
    public static IReadOnlyDictionary<string, string> OfGuide()
    {
        var text = File.ReadAllText(Repository.At("docs", "onnx.md")).ReplaceLineEndings("\n");
        var section = text[text.IndexOf("## What has no graph", StringComparison.Ordinal)..];
        return Row().Matches(section[..section.IndexOf("\n## ", 3, StringComparison.Ordinal)])
            .ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
    }

    private static bool HasNone(nn.Module module) => module switch
    {
        ResidualLayer layer => !layer.IsExact || layer.Network is not IOnnxJacobian,
        ContinuousLayer => true,
        _ => false,
    };

    [GeneratedRegex(@"^\| `(\w+)` \| (.*?) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
