using RealNvp.Benchmarks;
using RealNvp.Tests.Densities;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests;

/// <summary>Every random number comes from <see cref="Noise"/>; without a GPU, the meta device stands in for one.</summary>
public class NoiseTests
{
    // no machine has room for so many elements, and none tries to make it
    private const long TooMany = 1L << 44;

    public static TheoryData<string> Densities => DensityTable.Names;

    public static TheoryData<string> Presets => PresetTable.Names;

    public static TheoryData<string> OneOfEach => PresetTable.OneOfEach;

    [Fact, LeavesNoTensors]
    public void Seeded_noise_is_drawn_on_the_CPU_for_every_device()
    {
        using var scope = NewDisposeScope();
        using Generator here = new(3), there = new(3);
        foreach (var draw in new Func<Device, Generator, Tensor>[] { (d, g) => Noise.Uniform([5, 2], float32, d, g),
            (d, g) => Noise.Normal([33], float64, d, g), (d, g) => Noise.Uniform([7], float64, d, g, -2, 3) })
        {
            var drawn = draw(CPU, here);
            draw(META, there).device_type.Should().Be(DeviceType.META);
            drawn.requires_grad.Should().BeFalse();
            here.get_state().equal(there.get_state()).all().item<bool>().Should()
                .BeTrue("a device elsewhere takes the same numbers from the generator");
        }
    }

    [Fact, LeavesNoTensors]
    public void The_numbers_are_those_of_torch()
    {
        using var scope = NewDisposeScope();
        using Generator ours = new(11), theirs = new(11);
        Noise.Uniform([40], float32, CPU, ours).equal(rand([40], generator: theirs)).all().item<bool>().Should().BeTrue();
        Noise.Normal([40], float32, CPU, ours).equal(randn([40], generator: theirs)).all().item<bool>().Should().BeTrue();
        manual_seed(2);
        var without = Noise.Normal([3], float64, CPU, null);
        manual_seed(2);
        randn([3], float64).equal(without).all().item<bool>().Should().BeTrue("without a generator it is torch's own");
    }

    [Fact]
    public async Task Few_numbers_are_those_of_torch_in_memory_that_each_thread_keeps()
    {
        static unsafe nint Check(ulong seed, long count)
        {
            using var scope = NewDisposeScope();
            using Generator ours = new(seed), theirs = new(seed), again = new(seed);
            var expected = rand([count], float64, generator: theirs).data<double>().ToArray();
            Numbers(count, ours).Should().Equal(expected);
            return (nint)Noise.Few(count, again);
        }
        static unsafe double[] Numbers(long count, Generator? generator) =>
            [.. new ReadOnlySpan<double>(Noise.Few(count, generator), (int)count)];
        Check(1, 20).Should().Be(Check(2, 20), "the same memory serves the next draw of as many");
        Check(3, 7);
        Check(4, 640);
        manual_seed(5);
        var without = Numbers(3, null);
        manual_seed(5);
        using (var expected = rand([3], float64)) without.Should().Equal(expected.data<double>());

        // threads at once, which end: what they kept is freed with them
        var here = Check(6, 20);
        var there = new nint[4];
        await Task.WhenAll(Enumerable.Range(0, there.Length).Select(i => Task.Factory.StartNew(() =>
        {
            for (var time = 0; time < 50; time++) there[i] = Check((ulong)(10 + i), 20);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        there.Should().NotContain(here);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Check(7, 20);
        using (inference_mode()) Check(8, 20);
        // on a thread that draws in this mode first
        await Task.Factory.StartNew(() =>
        {
            using (inference_mode()) Check(9, 20);
            Check(9, 20);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    [Fact, LeavesNoTensors]
    public unsafe void Counts_that_change_from_draw_to_draw_keep_no_memory_of_those_before()
    {
        if (NativeCalls.Start() is not { } probe) return;
        probe.Dispose();
        using var generator = new Generator(1);
        foreach (var counts in (long[][])[[20, 40, 60, 320], [20, 37, 54, 71]])
        {
            foreach (var count in counts) Noise.Few(count, generator);
            // the heap is that of the process, in which the runtime compiles at the same time: what is kept (5 MB) shows in each turn
            var growth = Enumerable.Range(0, 5).Min(_ =>
            {
                using var calls = NativeCalls.Start(memory: true)!;
                for (var time = 0; time < 500; time++) Noise.Few(counts[time % counts.Length], generator);
                return calls.PeakGrowth;
            });
            growth.Should().BeLessThan(65_536, "of the counts {0}", string.Join(", ", counts));
        }
    }

    [Fact, LeavesNoTensors]
    public void A_generator_that_was_made_for_a_GPU_serves_since_it_is_one_of_the_CPU()
    {
        using var scope = NewDisposeScope();
        using Generator claims = new(4, new Device("cuda:0")), plain = new(4);
        Noise.Normal([4], float32, CPU, claims).equal(Noise.Normal([4], float32, CPU, plain)).all().item<bool>().Should().BeTrue();
    }

    [Theory, MemberData(nameof(Densities))]
    public void A_density_draws_seeded_noise_for_a_device_elsewhere(string name)
    {
        using var scope = NewDisposeScope();
        using var density = DensityTable.Find(name).Make();
        // meta tensors have no values, on which picking a part or drawing again depends
        if (DensityTable.Find(name).DrawsByValues) return;
        // and relu has no kernel for them, nor has the index_select that puts the parts of a product in their places
        if (density.modules().OfType<Conditioner>().Any() || density.modules().OfType<Density>().Any(part => part != density)) return;
        using Generator here = new(5), there = new(5);
        var context = density.ContextSize > 0 ? ones(3, density.ContextSize) : null;
        density.Sample(3, 1, float32, CPU, here, context);
        density.to(META);
        density.Draw(3, 1, float32, META, there, context?.to(META)).device_type.Should().Be(DeviceType.META);
        here.get_state().equal(there.get_state()).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Only_the_places_that_draw_lift_the_ban_on_drawing()
    {
        // the analyzer refuses rand, randn, normal_, new Generator ... everywhere else, and so a seeded draw that a GPU would refuse
        var source = Path.Combine(Repository.Root, "src", "RealNvp");
        Directory.GetFiles(source, "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal)
            && File.ReadAllText(f).Contains("disable RS0030", StringComparison.Ordinal))
            .Select(Path.GetFileName).Should().BeEquivalentTo("Noise.cs", "RandomSource.cs", "Scalars.cs", "KernelReference.cs",
                // gradients with a graph of their own, of graphs that the same call has made and seen to work
                "AutogradLinearization.cs", "Dynamics.Derivatives.cs");
        var banned = File.ReadLines(Path.Combine(Repository.Root, "eng", "BannedSymbols.txt")).Select(line => line.Split('(', ';')[0])
            .ToHashSet();
        foreach (var type in new[] { typeof(torch), typeof(Tensor) })
            foreach (var method in type.GetMethods().Where(m => m.GetParameters().Any(p => p.ParameterType == typeof(Generator))
                && m.DeclaringType == type))
                banned.Contains($"M:TorchSharp.torch{(type == typeof(Tensor) ? ".Tensor" : "")}.{method.Name}").Should()
                    .BeTrue("{0} takes a generator", method);
        foreach (var method in new[] { "torch.Generator.#ctor", "torch.matmul", "torch.Tensor.matmul", "torch.autograd.grad",
                "torch.nn.Linear", "torch.nn.Conv2d" })
            banned.Contains($"M:TorchSharp.{method}").Should().BeTrue("{0} ends the process or draws", method);
    }

    [Theory, MemberData(nameof(Densities)), LeavesNoTensors]
    public void More_samples_than_memory_holds_are_an_exception_of_a_density(string name)
    {
        using var scope = NewDisposeScope();
        using var density = DensityTable.Find(name).Make();
        if (density.ContextSize > 0) return;   // one row of a context for each
        using var generator = new Generator(1);
        foreach (var given in new[] { generator, null })
            foreach (var many in new[] { TooMany, long.MaxValue })
                density.Invoking(d => d.Sample(many, 1, float32, CPU, given)).Should().Throw<InsufficientMemoryException>()
                    .WithMessage(
                    $"{density.GetName()}.Sample was asked for {many.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)} " +
                    $"samples of*not enough memory*some at a time*");
    }

    [Theory, MemberData(nameof(OneOfEach)), LeavesNoTensors]
    public void More_samples_than_memory_holds_are_an_exception_of_a_model(string name) => SampleTooMany(name);

    [SlowTheory, MemberData(nameof(Presets)), LeavesNoTensors]
    public void More_samples_than_memory_holds_are_an_exception_of_every_preset(string name) => SampleTooMany(name);

    private static void SampleTooMany(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = options.NewModel();
        model.eval();
        var context = PresetTable.Context(options, 1)?.to(float32);
        foreach (var many in new[] { TooMany, long.MaxValue })
        {
            Refused(m => m.Sample(many, context, seed: 1), "Sample");
            Refused(m => m.SampleAndLogProb(many, context), "SampleAndLogProb");
            if (options.Levels == 0) Refused(m => m.RSampleAndLogProb(many, context, seed: 1), "RSampleAndLogProb");
        }
        // a batch without memory of its own, and results that have none either
        var (z, given) = (zeros(model.LatentShape.WithBatch(1)).expand(model.LatentShape.WithBatch(TooMany)), context?.expand(TooMany, -1));
        Refused(m => m.Decode(z, given), "Decode");
        if (options.Levels > 0) return;
        var x = zeros(model.InputShape.WithBatch(1)).expand(model.InputShape.WithBatch(TooMany));
        Refused(m => m.LogProb(x, given), "LogProb");
        Refused(m => m.Encode(x, given), "Encode");

        void Refused(Action<FlowModel> call, string method) => model.Invoking(call).Should().Throw<InsufficientMemoryException>()
            .WithMessage($"{model.GetName()}.{method}*not enough memory*");
    }

    [Fact, LeavesNoTensors]
    public void A_layer_that_draws_throws_where_memory_does_not_suffice()
    {
        using var scope = NewDisposeScope();
        // a batch without memory of its own: what the layer draws is what does not fit
        var x = zeros(1, 1, 1, 1).expand(TooMany, 1, 2, 2);
        foreach (var layer in new Bijection[] { new UniformDequantization(4), new RandomHorizontalFlip(),
            new VariationalDequantization([1, 2, 2], 4, 2, 4) })
            using (layer) layer.Invoking(l => l.Forward(x)).Should().Throw<Exception>();
    }
}
