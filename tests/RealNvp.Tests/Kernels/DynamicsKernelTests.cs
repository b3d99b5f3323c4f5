using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Whole solves of continuous flows by the kernel against the same solves step by step in plain operations.</summary>
[LeavesNoTensors]
public class DynamicsKernelTests
{
    private static readonly SmoothActivation[] activations = Enum.GetValues<SmoothActivation>();

    [Theory, InlineData(0), InlineData(128), InlineData(256), InlineData(512)]
    public void Kernel_and_plain_operations_take_the_same_steps_to_the_same_values(int bits)
    {
        using var width = Lanes(bits);
        var random = new Random(bits + 1);
        for (var i = 0; i < 24; i++)
        {
            var (features, rows) = (random.Next(1, 8), new[] { 1, 3, 16, 17, 40 }[random.Next(5)]);
            var context = random.Next(2) * 3;
            var options = new ContinuousOptions[]
            {
                new() { Tolerance = 1e-5 }, new() { Tolerance = 1e-4, Method = OdeMethod.Tsit5 },
                new() { Tolerance = 1e-3, Method = OdeMethod.Bosh3 }, new() { Method = OdeMethod.Rk4, Steps = 5 },
                new() { Method = OdeMethod.Midpoint, Steps = 7 },
            }[i % 5];
            var (hidden, layers, activation) = (random.Next(1, 20), random.Next(1, 4), activations[i % 5]);
            Func<Dynamics> make = i % 2 == 0
                ? () => new ConcatSquashMlp(features, hidden, layers, context, activation)
                : () => new TimeMlp([features], hidden, layers, context, activation, timeFrequencies: i % 3);
            using var scope = NewDisposeScope();
            using var layer = Awake(make(), features, options, i);
            using var generator = new Generator((ulong)i);
            var x = randn([rows, features], dtype: float32, generator: generator);
            var given = context == 0 ? null : randn([rows, context], dtype: float32, generator: generator);
            var what = $"case {i}: {layer.Dynamics.GetName()} of {features} features, {hidden} x {layers}, {activation}, {options.Method}";
            var (fast32, plain32) = (Solved(layer, x, given, on: true), Solved(layer, x, given, on: false));
            layer.to(float64);
            (x, given) = (x.to(float64), given?.to(float64));
            var (fast, plain) = (Solved(layer, x, given, on: true), Solved(layer, x, given, on: false));
            for (var k = 0; k < fast.Tensors.Length; k++)
            {
                Apart(fast.Tensors[k], plain.Tensors[k]).Should().BeLessThan(1e-8, what);
                // the derivative of selu jumps at 0, and rounding says on which side of it a number is
                if (k == 1 && activation == SmoothActivation.Selu) continue;
                Apart(fast32.Tensors[k], plain.Tensors[k]).Should()
                    .BeLessThan((4 * Apart(plain32.Tensors[k], plain.Tensors[k])) + 1e-4, what);
            }
            fast.Statistics.Accepted.Should().Equal(plain.Statistics.Accepted, what);
            fast.Statistics.Rejected.Should().Equal(plain.Statistics.Rejected, what);
            fast.Statistics.Evaluations.Should().Be(plain.Statistics.Evaluations, what);
        }
    }

    private static (Tensor[] Tensors, OdeStatistics Statistics) Solved(ContinuousLayer layer, Tensor x, Tensor? context,
        bool on)
    {
        using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Dynamics));
        using var gradients = no_grad();
        var (value, logDet) = layer.Forward(x, context);
        var statistics = layer.LastStatistics!;
        using var solver = RealNvp.Layers.PassState.SolveBy(new OdeOptions { AbsoluteTolerance = 1e-5, RelativeTolerance = 1e-5 });
        return ([value, logDet, layer.Inverse(x, context).Value], statistics);
    }

    private static double Apart(Tensor a, Tensor b) => a.sub(b).abs().div(b.abs().clamp_min(1)).max().to(float64).item<double>();

    private static Undo Lanes(int bits)
    {
        var before = LaneWidth.Bits;
        LaneWidth.Bits = bits;
        return new Undo(() => LaneWidth.Bits = before);
    }

    private static ContinuousLayer Awake(Dynamics dynamics, long features, ContinuousOptions options, int seed)
    {
        var layer = new ContinuousLayer(dynamics, [features], options);
        RandomWeights.Draw(layer, seed, 0.4);
        layer.eval();
        return layer;
    }

    private sealed class Undo(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
