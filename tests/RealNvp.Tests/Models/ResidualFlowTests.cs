using System.IO.Compression;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Residual flows that are trained: what is proved on new ones must hold afterwards.</summary>
public class ResidualFlowTests
{
    [SlowFact]
    public void A_model_that_was_trained_for_2000_steps_on_the_digits_inverts_test_data_to_1e5()
    {
        using var scope = NewDisposeScope();
        var images = Digits();
        var (training, held) = (images.narrow(0, 0, 1437), images.narrow(0, 1437, 360));
        using var model = new ResidualFlowModel(ResidualFlowOptions.Digits8x8 with { Layers = 2 }, seed: 0);
        var options = new TrainingOptions { MaxSteps = 2000, Epochs = 1000, BatchSize = 64, LearningRate = 1e-3, ValidationFraction = 0 };
        using (var trainer = new Trainer(model, options)) trainer.Fit(TrainingData.From(training));
        model.eval();
        using var _ = no_grad();
        // behind the dequantization, whose noise is a part of the value
        var layers = ((Chain)model.Bijection).Steps.Select(s => s.Layer!).ToArray();
        var x = layers[0].Forward(held).Value;
        var z = x;
        foreach (var layer in layers[1..]) z = layer.Forward(z).Value;
        var back = z;
        foreach (var layer in Enumerable.Reverse(layers[1..])) back = layer.Inverse(back).Value;
        var error = back.sub(x).abs().max().item<float>();
        var bits = model.Evaluate(held).BitsPerDim;
        TestContext.Current.SendDiagnosticMessage("error {0}, {1} bits a dimension", error, bits);
        error.Should().BeLessThan(1e-5f);
        bits.Should().BeLessThan(2.4, "it has learned something");
    }

    [SlowFact]
    public void The_memory_of_the_Neumann_gradient_does_not_grow_with_the_number_of_terms()
    {
        if (NativeHeapUse.Now is null) Assert.Skip("The C library does not say how much of its heap is in use.");
        long Peak(int terms, bool neumann)
        {
            var logDet = new ResidualLogDet
            {
                ExactUpTo = 0, Series = ResidualSeries.Truncated, Terms = terms, NeumannGradient = neumann,
            };
            using var flow = new Flow([2000], new ResidualLayer([2000], new LipschitzMlp(2000, 2000, 64, 1, zero: false), logDet));
            using var x = randn(500, 2000);
            void Step()
            {
                using var scope = NewDisposeScope();
                flow.NegativeLogLikelihood(x, seed: 1).backward();
            }
            // what is made once is there
            if (neumann) Step();
            flow.zero_grad();
            return NativeHeapUse.PeakGrowth(Step);
        }
        // 4 MB a vector: thirty terms in a graph keep a hundred and more
        var (few, many) = (Peak(3, neumann: true), Peak(30, neumann: true));
        ((double)many / few).Should().BeLessThan(1.2, "{0} bytes for 3 terms, {1} for 30", few, many);
        (Peak(30, neumann: false) - Peak(3, neumann: false)).Should().BeGreaterThan(60 << 20);
    }

    private static Tensor Digits()
    {
        var path = Path.Combine(Repository.Root, "samples", "data", "digits", "digits-1797x8x8-idx3-ubyte.gz");
        using var stream = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return tensor(bytes.ToArray().Skip(16).Select(b => (float)b).ToArray()).reshape(1797, 1, 8, 8);
    }
}
