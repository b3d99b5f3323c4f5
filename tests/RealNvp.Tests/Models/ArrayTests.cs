using FluentAssertions;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The doors for callers without tensors give what those for tensors give.</summary>
[LeavesNoTensors]
public class ArrayTests
{
    [Theory]
    [MemberData(nameof(PresetTable.OneOfEach), MemberType = typeof(PresetTable))]
    public void Arrays_give_what_tensors_give(string name)
    {
        var options = PresetTable.All[name];
        using var scope = NewDisposeScope();
        using var flow = PresetTable.Create(name);
        var x = PresetTable.Examples(options, 7);
        var context = PresetTable.Context(options, 7);
        var (rows, contexts) = (Matrix(x), context is null ? null : Matrix(context));

        flow.LogProb(rows, contexts, seed: 3).Should().Equal(Numbers(flow.LogProb(x, context, seed: 3)));
        flow.BitsPerDim(rows, contexts, seed: 3, batchSize: 3).Should().Equal(Numbers(flow.BitsPerDim(x, context, seed: 3, batchSize: 3)));
        var z = flow.Encode(rows, contexts, seed: 3);
        z.Cast<double>().Should().Equal(Numbers(flow.Encode(x, context, seed: 3)));
        z.GetLength(1).Should().Be((int)flow.LatentShape.NumElements);
        flow.Decode(z, contexts).Cast<double>().Should().Equal(Numbers(flow.Decode(flow.Encode(x, context, seed: 3), context)));
        flow.SampleArray(3, contexts, temperature: 0.7, seed: 5).Cast<double>().Should()
            .Equal(Numbers(flow.Sample(3, context, 0.7, seed: 5)));
        flow.SampleArray(3, contexts, seed: 5).GetLength(0).Should().Be(context is null ? 3 : 21);
        flow.Evaluate(rows, contexts).MeanLogProb.Should().Be(flow.Evaluate(x, context).MeanLogProb);
        var into = new double[9];
        flow.LogProbInto(rows, into, contexts, seed: 3).Should().Be(7);
        into[..7].Should().Equal(flow.LogProb(rows, contexts, seed: 3));
        Destinations_hold_what_arrays_hold(flow, rows, contexts);
        flow.SampleArray(0, contexts).GetLength(0).Should().Be(0);
    }

    // every method with a destination, in both types, with room to spare that stays as it was
    private static void Destinations_hold_what_arrays_hold(Flow flow, double[,] rows, double[,]? contexts)
    {
        var (z, samples) = (flow.Encode(rows, contexts, seed: 3), flow.SampleArray(3, contexts, temperature: 0.7, seed: 5));
        Same(flow.LogProb(rows, contexts, seed: 3), 7, d => flow.LogProbInto(rows, d, contexts, seed: 3),
            d => flow.LogProbInto(rows, d, contexts, seed: 3));
        Same(Flat(z), 7, d => flow.EncodeInto(rows, d, contexts, seed: 3), d => flow.EncodeInto(rows, d, contexts, seed: 3));
        Same(Flat(flow.Decode(z, contexts)), 7, d => flow.DecodeInto(z, d, contexts), d => flow.DecodeInto(z, d, contexts));
        Same(Flat(samples), samples.GetLength(0), d => flow.SampleInto(3, d, contexts, temperature: 0.7, seed: 5),
            d => flow.SampleInto(3, d, contexts, temperature: 0.7, seed: 5));

        static void Same(double[] wanted, int count, Func<double[], int> doubles, Func<float[], int> floats)
        {
            double[] wide = [.. Enumerable.Repeat(7.5, wanted.Length + 2)];
            float[] narrow = [.. Enumerable.Repeat(7.5f, wanted.Length + 2)];
            doubles(wide).Should().Be(count);
            wide.Should().Equal([.. wanted, 7.5, 7.5]);
            floats(narrow).Should().Be(count);
            narrow[^2..].Should().OnlyContain(v => v == 7.5f);
            // a flow in float32 whose scaling is in float64 gives numbers that float32 rounds in another place
            for (var i = 0; i < wanted.Length; i++)
                ((double)narrow[i]).Should().BeApproximately(wanted[i], 1e-5 * (1 + Math.Abs(wanted[i])));
            Assert.ThrowsAny<ArgumentException>(() => doubles(new double[wanted.Length - 1])).Message.Should().Contain("room for");
            Assert.ThrowsAny<ArgumentException>(() => floats(new float[wanted.Length - 1])).Message.Should().Contain("room for");
        }
    }

    private static double[] Flat(double[,] matrix) => [.. matrix.Cast<double>()];

    /// <summary>A service with memory from a pool makes no garbage that grows with its rows.</summary>
    [Fact]
    public void Spans_in_and_out_allocate_no_array()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(4), seed: 0);
        flow.eval();
        const int many = 4096;
        var (rows, results) = (new float[many * 4], new float[many * 4]);
        var calls = new (string Name, Action<int> Call)[]
        {
            ("LogProbInto", n => flow.LogProbInto(rows.AsSpan(0, n * 4), results)),
            ("EncodeInto", n => flow.EncodeInto(rows.AsSpan(0, n * 4), results)),
            ("DecodeInto", n => flow.DecodeInto(rows.AsSpan(0, n * 4), results)),
            ("SampleInto", n => flow.SampleInto(n, results, seed: 1)),
        };
        foreach (var (name, call) in calls)
        {
            // a very few rows go another way, which allocates less
            const int some = 64;
            call(some);
            call(many);
            var (few, all) = (Allocated(() => call(some)), Allocated(() => call(many)));
            // an array of the rows or of the results would have 16 KB at least
            (all - few).Should().BeLessThan(4096, "{0} of {1} rows allocates {2} bytes, and {3} of {4}", name, many, all, few, some);
        }

    }

    [Fact]
    public void An_array_takes_little_more_memory_than_a_tensor()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(4), seed: 0);
        flow.eval();
        var (row, result) = (new float[4], new float[1]);
        using var x = torch.zeros(1, 4);
        void Tensors()
        {
            using var gradients = torch.no_grad();
            using var logProb = flow.LogProb(x);
        }
        Tensors();
        flow.LogProbInto(row, result);
        // a walk over the modules, which a call of an array needs no more than one of a tensor, has 370 KB here
        (Allocated(() => flow.LogProbInto(row, result)) - Allocated(Tensors)).Should().BeLessThan(8 * 1024);
    }

    [Fact]
    public void A_flow_whose_layer_is_disposed_says_so_to_arrays()
    {
        using var layer = new AffineCouplingLayer([2], Mask.Alternating(2), size => new Mlp(size.Inputs, size.Outputs, 4));
        using var flow = new Flow([2], new Chain(layer));
        var (rows, results) = (new float[2], new float[2]);
        flow.LogProbInto(rows, results).Should().Be(1);
        layer.Dispose();
        foreach (Action call in (Action[])[() => flow.LogProb((DataRows)rows), () => flow.LogProbInto(rows, results),
            () => flow.EncodeInto(rows, results), () => flow.DecodeInto(rows, results), () => flow.SampleInto(1, results),
            () => flow.SampleArray(1)])
            call.Should().Throw<ObjectDisposedException>().WithMessage("*A part of the Flow*has been disposed*");
    }

    // the least of a few: code that is compiled again on the way allocates too
    private static long Allocated(Action call) => Enumerable.Range(0, 4).Min(_ =>
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        call();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    });

    [Fact]
    public void An_array_of_several_dimensions_holds_examples_of_that_shape()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Digits8x8, seed: 0);
        var pixels = Enumerable.Range(0, 128).Select(i => (byte)(i % 17)).ToArray();
        var wanted = flow.LogProb(pixels, seed: 1);
        flow.LogProb(DataRows.FromArray(Shaped<byte>(pixels, 2, 1, 8, 8)), seed: 1).Should().Equal(wanted);
        flow.LogProb(DataRows.FromArray(Shaped<byte>(pixels, 2, 64)), seed: 1).Should().Equal(wanted);
        flow.LogProb(DataRows.FromArray(pixels), seed: 1).Should().Equal(wanted);
        flow.LogProb(DataRows.FromArray(Shaped<int>([.. pixels.Select(p => (int)p)], 2, 1, 8, 8)), seed: 1).Should().Equal(wanted);
        flow.LogProb(DataRows.FromArray(Shaped<long>([.. pixels.Select(p => (long)p)], 2, 1, 8, 8)), seed: 1).Should().Equal(wanted);
        flow.LogProb((ReadOnlySpan<byte>)pixels, seed: 1).Should().Equal(wanted);
        flow.LogProb((ReadOnlyMemory<byte>)pixels, seed: 1).Should().Equal(wanted);
        flow.LogProb(new DataRows(pixels, columns: 64), seed: 1).Should().Equal(wanted);
        flow.LogProb(DataRows.FromArray(Shaped<float>([.. pixels.Select(p => (float)p)], 2, 1, 8, 8)), seed: 1).Should().Equal(wanted);
        flow.LogProb(DataRows.FromArray(Shaped<double>([.. pixels.Select(p => (double)p)], 2, 1, 8, 8)), seed: 1).Should().Equal(wanted);
        // as many numbers, but another order of the dimensions
        Message(() => flow.LogProb(DataRows.FromArray(new byte[2, 8, 8, 1]))).Should().Contain("[2, 8, 8, 1]").And.Contain("(1, 8, 8)");
        Message(() => DataRows.FromArray(new string[2])).Should().Contain("String");
        Message(() => DataRows.FromArray(new float[2][])).Should().Contain("without FromArray");
    }

    private static Array Shaped<T>(T[] flat, params int[] sizes)
    {
        var array = Array.CreateInstance(typeof(T), sizes);
        Buffer.BlockCopy(flat, 0, array, 0, Buffer.ByteLength(flat));
        return array;
    }

    [Fact]
    public void Arrays_of_any_form_are_rows()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        float[,] matrix = { { 1, 2 }, { 3, 4 } };
        var wanted = flow.LogProb(matrix);
        float[] flat = [1, 2, 3, 4];
        double[] wide = [1, 2, 3, 4];
        flow.LogProb(new double[,] { { 1, 2 }, { 3, 4 } }).Should().Equal(wanted);
        flow.LogProb(new float[][] { [1, 2], [3, 4] }).Should().Equal(wanted);
        flow.LogProb(new double[][] { [1, 2], [3, 4] }).Should().Equal(wanted);
        flow.LogProb(flat).Should().Equal(wanted);
        flow.LogProb(wide).Should().Equal(wanted);
        flow.LogProb(flat.AsSpan()).Should().Equal(wanted);
        flow.LogProb((ReadOnlySpan<float>)flat).Should().Equal(wanted);
        flow.LogProb(wide.AsSpan()).Should().Equal(wanted);
        flow.LogProb(flat.AsSpan()[2..]).Should().Equal(wanted[1..]);
        flow.LogProb((ReadOnlyMemory<float>)flat).Should().Equal(wanted);
        flow.LogProb((ReadOnlyMemory<double>)wide).Should().Equal(wanted);
        flow.LogProb(flat.AsMemory()).Should().Equal(wanted);
        flow.LogProb(wide.AsMemory()).Should().Equal(wanted);
        flow.LogProb(new DataRows(flat, columns: 2)).Should().Equal(wanted);
        flow.LogProb(new float[0, 2]).Should().BeEmpty();
        flow.LogProb(Array.Empty<float[]>()).Should().BeEmpty();
        flow.LogProb(Array.Empty<double[]>()).Should().BeEmpty();
    }

    [Fact]
    public void Bytes_and_labels_go_in_as_they_are()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Digits8x8, seed: 0);
        var pixels = Enumerable.Range(0, 128).Select(i => (byte)(i % 17)).ToArray();
        using var x = tensor(pixels, [2, 1, 8, 8]);
        using var wanted = flow.LogProb(x, seed: 1);
        flow.LogProb(pixels, seed: 1).Should().Equal(Numbers(wanted));

        using var labelled = new Flow([2], new AffineCouplingLayer([2], Mask.FirstHalf(2), new ResidualMlp(1, 2, 8, 1, 3)),
            contextEncoder: new LabelEncoder(3));
        var logProb = labelled.LogProb(new double[,] { { 1, 2 }, { 1, 2 } }, new[] { 0, 2 });
        logProb.Should().HaveCount(2);
        labelled.LogProb(new double[,] { { 1, 2 }, { 1, 2 } }, new[] { 0L, 2L }).Should().Equal(logProb);
        labelled.SampleArray(4, new[] { 1 }).GetLength(0).Should().Be(4);
    }

    [Fact]
    public void Seconds_since_1970_keep_their_digits()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        var rows = new double[,] { { 1_700_000_001, 2 }, { 1_700_000_002, 4 }, { 1_700_000_003, 3 } };
        using (var data = tensor(rows)) flow.Standardization!.Fit(data);
        var back = flow.Decode(flow.Encode(rows));
        for (var i = 0; i < 3; i++) back[i, 0].Should().BeApproximately(rows[i, 0], 0.01);
    }

    [Fact]
    public void What_does_not_fit_is_said()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        Message(() => flow.LogProb(new float[,] { { 1, 2, 3 } })).Should().Contain("2 number(s) in a row").And.Contain("rows of 3");
        Message(() => flow.LogProb(new float[] { 1, 2, 3 })).Should().Contain("no whole number of rows");
        Message(() => flow.LogProb(new float[][] { [1, 2], [3] })).Should().Contain("row 1 has 1");
        Message(() => flow.LogProb(new float[][] { [1, 2], null! })).Should().Contain("Row 1 is null");
        Message(() => flow.LogProb((float[,]?)null)).Should().Contain("got null");
        Message(() => flow.LogProb(new float[,] { { 1, float.NaN } })).Should().Contain("NaN");
        Message(() => flow.LogProb(new float[,] { { 1, 2 } }, new float[,] { { 1 } })).Should().Contain("not conditional");
        Message(() => flow.LogProb(new[] { 1, 2 })).Should().Contain("floating-point");
        Message(() => flow.LogProbInto(new float[,] { { 1, 2 }, { 3, 4 } }, new double[1])).Should().Contain("room for 1");
        Message(() => flow.Decode(new float[,] { { 1, 2, 3 } })).Should().Contain("2 number(s)");
        Message(() => _ = new DataRows([1f], columns: 0)).Should().Contain("columns");
        using var conditional = new RealNvpModel(RealNvpOptions.Tabular(2) with { ContextSize = 1 });
        Message(() => conditional.LogProb(new float[,] { { 1, 2 } })).Should().Contain("context");
        Message(() => conditional.SampleArray(3)).Should().Contain("context");
    }

    private static string Message(Action action) => Assert.ThrowsAny<ArgumentException>(action).Message;

    private static double[] Numbers(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.to(float64).contiguous().data<double>().ToArray();
    }

    private static double[,] Matrix(Tensor tensor)
    {
        var numbers = Numbers(tensor);
        var result = new double[tensor.shape[0], numbers.Length / (int)tensor.shape[0]];
        Buffer.BlockCopy(numbers, 0, result, 0, numbers.Length * sizeof(double));
        return result;
    }
}
