using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

public class ThreadSafetyTests
{
    [Theory, InlineData("Toy2D"), InlineData("Tabular, context"), InlineData("Grey28x28"),
        InlineData("Residual, Tabular, context"), InlineData("Residual, Grey28x28"), InlineData("FFJORD, Tabular")]
    public void In_evaluation_mode_four_threads_get_the_bits_that_one_gets(string name)
    {
        const int threads = 4, rounds = 12;
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var cases = Enumerable.Range(0, threads).Select(i => (X: PresetTable.Examples(options, 5, seed: 20 + i),
            Context: PresetTable.Context(options, 5))).ToArray();
        var expected = cases.Select((c, i) => Results(model, c.X, c.Context, i)).ToArray();
        expected[0][0].Should().NotEqual(expected[1][0], "the threads compute different things");

        using var barrier = new Barrier(threads);
        var errors = new Exception?[threads];
        var wrong = new int[threads];
        var workers = Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            try
            {
                barrier.SignalAndWait();
                for (var round = 0; round < rounds; round++)
                {
                    var own = (i + round) % threads;
                    var results = Results(model, cases[own].X, cases[own].Context, own);
                    for (var r = 0; r < results.Length; r++) if (!results[r].AsSpan().SequenceEqual(expected[own][r])) wrong[i]++;
                }
            }
            catch (Exception e) { errors[i] = e; }
        })).ToArray();
        foreach (var worker in workers) worker.Start();
        foreach (var worker in workers) worker.Join();
        errors.Should().OnlyContain(e => e == null);
        wrong.Should().OnlyContain(n => n == 0);
        model.training.Should().BeFalse();
    }

    // an example on its own has no other thread's batch, noise or scope in it
    private static double[][] Results(FlowModel model, Tensor x, Tensor? context, int seed)
    {
        using var scope = NewDisposeScope();
        var z = model.Encode(x, context, seed);
        var (samples, logProb) = model.SampleAndLogProb(2, context, seed: seed);
        return [.. new[] { model.LogProb(x, context, seed), z, model.Decode(z, context), samples, logProb,
            model.BitsPerDim(x, context, seed) }
            .Select(t => t.detach().contiguous().data<double>().ToArray())];
    }
}
