using System.Diagnostics;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using RealNvp.Tests.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>A model on a GPU is the model on the CPU.</summary>
public class CudaTests
{
    public static TheoryData<string> Presets => PresetTable.Names;

    [CudaTheory, MemberData(nameof(Presets)), LeavesNoTensors]
    public void Both_directions_and_samples_agree_with_the_cpu(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var cpu = PresetTable.Create(name);
        using var gpu = PresetTable.Create(name);
        gpu.to(CUDA);
        gpu.parameters().Should().OnlyContain(p => p.device_type == DeviceType.CUDA);
        var (x, context) = (PresetTable.Examples(options, 6), PresetTable.Context(options, 6));
        var (there, contextThere) = (x.cuda(), context?.cuda());
        // a seed's noise is drawn on the CPU, so it is the same on both
        var z = cpu.Encode(x, context, seed: 1);
        Near(gpu.Encode(there, contextThere, seed: 1), z);
        Near(gpu.LogProb(there, contextThere, seed: 1), cpu.LogProb(x, context, seed: 1), 1e-3);
        Near(gpu.Decode(z.cuda(), contextThere), cpu.Decode(z, context));
Noise.Normal([50], float32, CUDA, new Generator(3)).cpu().eq(Noise.Normal([50], float32, CPU, new Generator(3))).all().item<bool>().Should()
    .BeTrue("noise is the same to the bit");
        var (samples, logProb) = gpu.SampleAndLogProb(4, contextThere, seed: 2);
        Near(samples, cpu.SampleAndLogProb(4, context, seed: 2).Samples);
        samples.device_type.Should().Be(DeviceType.CUDA);
        logProb.isfinite().all().item<bool>().Should().BeTrue();
        Near(gpu.Sample(4, contextThere, seed: 2), samples, 0);
        gpu.Evaluate(x, context, batchSize: 4).Count.Should().Be(6, "evaluation takes data from any device");
    }

    [CudaFact]
    public void A_training_on_the_gpu_gives_the_losses_of_the_cpu()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = randn([256, 5], dtype: float64, generator: generator);
        double[] Train(Device device)
        {
            using var model = PresetTable.Create("Tabular");
            model.to(device);
            using var trainer = new Trainer(model, new TrainingOptions { Epochs = 3, BatchSize = 64, Seed = 2, ValidationFraction = 0,
                AverageDecay = 0.9 });
            return [.. trainer.Fit(TrainingData.From(x)).History.Select(h => h.Loss)];
        }
        var (expected, actual) = (Train(CPU), Train(CUDA));
        for (var i = 0; i < expected.Length; i++) actual[i].Should().BeApproximately(expected[i], 1e-4);
    }

    [CudaTheory, InlineData(true), InlineData(false)]
    public void A_step_that_is_not_finite_changes_nothing_on_the_gpu(bool lists)
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Chain(new FlowBatchNorm([4]), new AffineCouplingLayer([4], Mask.FirstHalf(4),
            new Mlp(2, 4, 8))));
        flow.to(CUDA);
        var limits = PendingLimits.Default with { UsesLists = lists };
        var batches = Enumerable.Range(0, 6).Select(_ => randn(16, 4)).ToArray();
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0, AverageDecay = 0.9 }, limits))
            trainer.Fit(TrainingData.FromBatches(batches.Select(x => x.alias()), 6)).Step.Should().Be(6);
        var before = flow.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
        batches[0].fill_(float.NaN);
        using var second = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 }, limits);
        var fit = () => second.Fit(TrainingData.FromBatches(batches.Select(x => x.alias()), 6));
        fit.Should().Throw<NonFiniteException>().WithMessage("*epoch 1, step 1.*");
        foreach (var (name, tensor) in flow.state_dict()) tensor.equal(before[name]).all().item<bool>().Should().BeTrue(name);
    }

    public static TheoryData<string> ImageLayers => [.. LayerTable.All.Where(c => c.Shape.Count == 3).Select(c => c.Name)];

    [CudaTheory, MemberData(nameof(ImageLayers))]
    public void An_image_layer_comes_back_to_the_digits_of_float32(string name)
    {
        using var scope = NewDisposeScope();
        var layer = LayerTable.All.Single(c => c.Name == name);
        using var made = layer.Make();
        made.to(float32);
        made.to(CUDA);
        made.eval();
        var x = (layer.Sample?.Invoke() ?? randn(layer.Shape.WithBatch(8))).to(float32).cuda();
        var context = made.ContextSize > 0 ? randn([x.shape[0], made.ContextSize], device: CUDA) : null;
        var (z, logDet) = made.Forward(x, context);
        var (back, backLogDet) = made.Inverse(z, context);
        Near(back, x);
        if (!made.IsStochastic) Near(backLogDet, logDet.neg(), 1e-3);
    }

    [CudaFact]
    public void A_backward_on_the_cpu_before_the_first_use_of_the_gpu_does_no_harm()
    {
        // autograd settles at its first backward for which devices it has threads: that must be the first thing that a process does
        var info = new ProcessStartInfo(Environment.ProcessPath!,
            ["-noColor", "-method", $"*{nameof(FirstUseTests.A_backward_on_the_cpu_comes_first)}"]) { RedirectStandardOutput = true };
        info.Environment[FirstUseTests.Variable] = "cuda";
        using var process = Process.Start(info)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.Should().Be(0, output);
        output.Should().MatchRegex("Total: 1.*Failed: 0, Skipped: 0");
    }

    [CudaTheory, InlineData("Tabular"), InlineData("Grey28x28")]
    public void Reversible_training_gives_the_losses_of_ordinary_training(string name)
    {
        using var scope = NewDisposeScope();
        double[] Train(bool reversible)
        {
            using var model = PresetTable.Create(name);
            model.to(float32);
            model.to(CUDA);
            var x = PresetTable.Examples(model.ModelOptions, 64);
            using var trainer = new Trainer(model, new TrainingOptions { Epochs = 3, BatchSize = 16, ValidationFraction = 0,
                Reversible = reversible });
            return [.. trainer.Fit(TrainingData.From(x.is_floating_point() ? x.to(float32) : x)).History.Select(h => h.Loss)];
        }
        var (expected, actual) = (Train(false), Train(true));
        for (var i = 0; i < expected.Length; i++) actual[i].Should().BeApproximately(expected[i], 1e-3 * Math.Abs(expected[i]));
    }

    [CudaFact]
    public void A_resumed_training_goes_on_as_if_it_had_not_stopped()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var path = folder.At("checkpoint.safetensors");
        using var generator = new Generator(1);
        var x = randn([256, 5], dtype: float64, generator: generator);
        var options = new TrainingOptions { Epochs = 4, BatchSize = 64, ValidationFraction = 0 };
        using var whole = PresetTable.Create("Tabular");
        whole.to(CUDA);
        using var all = new Trainer(whole, options);
        var expected = all.Fit(TrainingData.From(x)).History;
        using var half = PresetTable.Create("Tabular");
        half.to(CUDA);
        using (var first = new Trainer(half, options with { CheckpointPath = path, Epochs = 2 })) first.Fit(TrainingData.From(x));
        using var second = Trainer.Resume(path, CUDA, o => o with { Epochs = 4 });
        using var resumed = second.Flow;
        second.Fit(TrainingData.From(x)).History[^1].Loss.Should().BeApproximately(expected[^1].Loss, 1e-4);
    }

    [CudaFact]
    public void Variational_inference_runs_on_the_gpu()
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        flow.to(CUDA);
        var loss = VariationalInference.ReverseKl(flow, x => x.pow(2).sum(1).mul(-0.5), 64);
        loss.backward();
        loss.device_type.Should().Be(DeviceType.CUDA);
        flow.parameters().Should().OnlyContain(p => p.grad!.isfinite().all().item<bool>());
    }

    [CudaTheory, InlineData(false), InlineData(true)]
    public void Two_hundred_steps_do_not_grow(bool reversible)
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Tabular(6), seed: 0);
        model.to(CUDA);
        var x = randn(1024, 6);
        long after = 0, later = 0;
        var options = new TrainingOptions { Epochs = 1000, MaxSteps = 210, BatchSize = 256, ValidationFraction = 0,
            Reversible = reversible };
        using var trainer = new Trainer(model, options);
        trainer.Fit(TrainingData.From(x), progress: new Now(p =>
        {
            if (p.Step == 10) after = Environment.WorkingSet;
            if (p.Step == 210) later = Environment.WorkingSet;
        }));
        (later - after).Should().BeLessThan(64 << 20);
    }

    [CudaFact]
    public void A_model_can_live_on_the_second_device()
    {
        Assert.SkipUnless(cuda.device_count() > 1, "this machine has one GPU");
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create("Tabular");
        var x = PresetTable.Examples(model.ModelOptions, 5);
        var expected = model.LogProb(x);
        model.to(new Device(DeviceType.CUDA, 1));
        Near(model.LogProb(x.to(new Device(DeviceType.CUDA, 1))), expected);
        model.Sample(3).device_index.Should().Be(1);
    }

    [CudaFact]
    public void A_model_built_while_the_default_device_is_the_gpu_works()
    {
        using var scope = NewDisposeScope();
        set_default_device(CUDA);
        try
        {
            using var model = new RealNvpModel(RealNvpOptions.Tabular(4), seed: 0);
            model.to(CUDA);
            model.LogProb(randn([6, 4], device: CUDA)).isfinite().all().item<bool>().Should().BeTrue();
        }
        finally { set_default_device(CPU); }
    }

    [CudaFact]
    public void Networks_in_bfloat16_are_near_and_one_coupling_is_invertible()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2, 8, 8], new AffineCouplingLayer([2, 8, 8], Mask.Checkerboard(8, 8),
            new ResidualConvNet(2, 4, new() { HiddenChannels = 32, Blocks = 1 })));
        RandomWeights.Draw(flow, 2, 0.05);
        flow.to(CUDA);
        var x = randn([16, 2, 8, 8], device: CUDA);
        var expected = flow.Encode(x);
        flow.ConditionerDtype = ScalarType.BFloat16;
        var z = flow.Encode(x);
        z.dtype.Should().Be(float32);
        Near(z, expected, 0.05);
        Near(flow.Decode(z), x);
    }

    [CudaFact]
    public void A_file_written_on_one_device_loads_on_the_other()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = PresetTable.Create("Tabular");
        var x = PresetTable.Examples(model.ModelOptions, 5);
        var expected = model.LogProb(x);
        model.to(CUDA);
        var path = folder.At("model.safetensors");
        model.Save(path);
        using var back = RealNvpModel.Load(path);
        Near(back.LogProb(x), expected, 0);
        using var there = RealNvpModel.Load(path, CUDA);
        there.parameters().Should().OnlyContain(p => p.device_type == DeviceType.CUDA);
        Near(there.LogProb(x.cuda()), expected);
    }

    private static void Near(Tensor actual, Tensor expected, double tolerance = 1e-4)
    {
        actual.shape.Should().Equal(expected.shape);
        actual.cpu().sub(expected.cpu()).abs().max().to(float64).item<double>().Should().BeLessThanOrEqualTo(tolerance);
    }

    private sealed class Now(Action<TrainingProgress> hear) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => hear(value);
    }
}
