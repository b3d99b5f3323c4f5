using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Ode;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>The steps of a solver by the kernel against those by plain operations.</summary>
[LeavesNoTensors]
public class OdeKernelTests
{
    [Theory, InlineData(0), InlineData(128), InlineData(256), InlineData(512)]
    public void Kernel_and_reference_take_the_same_steps_and_come_to_the_same_state(int bits)
    {
        var before = RealNvp.Kernels.LaneWidth.Bits;
        try
        {
            RealNvp.Kernels.LaneWidth.Bits = bits;
            foreach (var dtype in new[] { ScalarType.Float64, ScalarType.Float32 })
                foreach (var width in new[] { 1, 3, 16, 37 })
                    foreach (var options in new OdeOptions[]
                    {
                        new(), new() { Method = OdeMethod.Bosh3, Norm = OdeNorm.Maximum, AbsoluteTolerance = 1e-4,
                            RelativeTolerance = 1e-4 }, new() { Method = OdeMethod.Rk4, Steps = 9 },
                    })
                    {
                        using var scope = NewDisposeScope();
                        var (kernel, reference) = (Solve(options, dtype, width), WithoutKernel(() => Solve(options, dtype, width)));
                        kernel.Value.sub(reference.Value).abs().max().to(float64).item<double>().Should()
                            .BeLessThan(dtype == ScalarType.Float64 ? 1e-9 : 1e-4);
                        if (dtype == ScalarType.Float64) kernel.Statistics.Accepted.Should().Equal(reference.Statistics.Accepted);
                        if (dtype == ScalarType.Float64) kernel.Statistics.Rejected.Should().Equal(reference.Statistics.Rejected);
                    }
        }
        finally { RealNvp.Kernels.LaneWidth.Bits = before; }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        using var scope = NewDisposeScope();
        var threads = get_num_threads();
        try
        {
            Tensor Run(int count)
            {
                set_num_threads(count);
                return Solve(new() { AbsoluteTolerance = 1e-3, RelativeTolerance = 1e-3 }, ScalarType.Float32, 9_000).Value;
            }
            Run(1).eq(Run(2)).all().item<bool>().Should().BeTrue();
        }
        finally { set_num_threads(threads); }
    }

    [Fact]
    public void Plain_operations_name_failures_as_the_kernel_does()
    {
        using var scope = NewDisposeScope();
        var y0 = tensor([0.0, 0, 0.1, 1], [2, 2], float64);
        OdeException Fail(OdeOptions options) =>
            ((Func<object>)(() => OdeSolver.Solve((_, y) => y.mul(y), y0, 0, 3, options))).Should().Throw<OdeException>().Which;
        foreach (var options in new OdeOptions[] { new(), new() { MaxSteps = 12 }, new() { Method = OdeMethod.Euler, Steps = 100 } })
        {
            var (kernel, reference) = (Fail(options), WithoutKernel(() => Fail(options)));
            (reference.Failure, reference.Example, reference.Component).Should().Be((kernel.Failure, kernel.Example, kernel.Component));
            reference.Time.Should().BeApproximately(kernel.Time, 1e-9);
        }
    }

    private static OdeSolution Solve(OdeOptions options, ScalarType dtype, int width)
    {
        using var generator = new Generator(5);
        var y0 = randn([5, width], dtype: float64, generator: generator).to(dtype);
        var rate = tensor([0.2, 1, 3, 9, 20.0], [5, 1], float64).to(dtype);
        return OdeSolver.Solve((t, y, c) => y.sin().mul(c!).neg().add(t.unsqueeze(1)), y0, rate, 0, 1, options);
    }

    private static T WithoutKernel<T>(Func<T> run)
    {
        RealNvp.Operations.KernelSwitches.Ode = false;
        try { return run(); }
        finally { RealNvp.Operations.KernelSwitches.Ode = true; }
    }
}
