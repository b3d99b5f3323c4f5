using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>A golden file, and the way from its weight names to ours.</summary>
internal sealed class GoldenFile(string name) : IDisposable
{
    private readonly SafeTensorsFile file = SafeTensors.Load(Path.Combine(AppContext.BaseDirectory, "Golden", name, "data.safetensors"));

    public Tensor this[string key] => file[key];

    public IEnumerable<string> Keys => file.Tensors.Keys;

    /// <summary>Copies the weights of one coupling (its names start with <paramref name="from"/>) into one of our layers.</summary>
    public void LoadCoupling(string from, nn.Module coupling)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (ours, tensor) in coupling.state_dict())
        {
            var value = Coupling(from, ours);
            value.numel().Should().Be(tensor.numel(), "{0} has the same size", ours);
            tensor.copy_(value.reshape(tensor.shape));
        }
    }

    /// <summary>The peer's tensor for one of our keys; its learned scale is a weight-normed parameter, g · v/|v| = g · sign(v).</summary>
    public Tensor Coupling(string from, string ours) => ours == "transformer.scale"
        ? file[$"{from}rescale.weight_g"].mul(Sign(from))
        : file[from + Theirs(ours)];

    /// <summary>sign(v) of the peer's learned scale.</summary>
    public Tensor Sign(string from, string weights = "") => file[$"{(weights.Length > 0 ? weights : from)}rescale.weight_v"].sign();

    public static string Theirs(string ours)
    {
        var name = ours.Replace("conditioner.", "st_net.", StringComparison.Ordinal);
        foreach (var part in new[] { "weight_g", "weight_v" }) name = name.Replace("." + part, ".conv." + part, StringComparison.Ordinal);
        return name.EndsWith("_conv.bias", StringComparison.Ordinal) || name.EndsWith("_skip.bias", StringComparison.Ordinal)
            || name.Contains("skips", StringComparison.Ordinal) && name.EndsWith(".bias", StringComparison.Ordinal)
            ? name.Insert(name.Length - "bias".Length, "conv.")
            : name;
    }

    public void Dispose() => file.Dispose();
}
