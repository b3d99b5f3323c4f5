using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class WeightFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact, LeavesNoTensors]
    public void Weights_of_a_composed_flow_come_back_bit_by_bit()
    {
        using var scope = NewDisposeScope();
        var path = folder.At("weights.safetensors");
        using var flow = Composed(1);
        using var other = Composed(2);
        var x = linspace(-1, 1, 8).reshape(4, 2);
        flow.SaveWeights(path);
        other.LogProb(x).equal(flow.LogProb(x)).all().item<bool>().Should().BeFalse();
        other.LoadWeights(path);
        other.LogProb(x).equal(flow.LogProb(x)).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Weights_that_do_not_fit_change_nothing()
    {
        using var scope = NewDisposeScope();
        var path = folder.At("weights.safetensors");
        using var flow = Composed(1);
        using var other = new Flow([2], new Chain([new InvertibleLinearLayer([2]), new InvertibleLinearLayer([2])]));
        other.SaveWeights(path);
        var before = flow.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        FluentActions.Invoking(() => flow.LoadWeights(path)).Should().Throw<InvalidDataException>().WithMessage("*does not fit*");
        foreach (var (key, tensor) in flow.state_dict()) tensor.equal(before[key]).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void A_file_that_only_its_owner_may_read_stays_one()
    {
        if (OperatingSystem.IsWindows()) return;
        var path = folder.At("weights.safetensors");
        using var flow = Composed(1);
        flow.SaveWeights(path);
        foreach (var mode in new[] { UnixFileMode.UserRead | UnixFileMode.UserWrite,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite })
        {
            File.SetUnixFileMode(path, mode);
            flow.SaveWeights(path);
            File.GetUnixFileMode(path).Should().Be(mode);
        }
    }

    private static Flow Composed(double scale)
    {
        var flow = new Flow([2], new Chain([new ActNorm([2]), new DiagonalScaling([2])]));
        using (no_grad()) foreach (var parameter in flow.parameters()) parameter.fill_(scale);
        flow.eval();
        return flow;
    }
}
