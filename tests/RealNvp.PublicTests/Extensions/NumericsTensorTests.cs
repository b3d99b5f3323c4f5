using System.Buffers;
using System.Numerics.Tensors;
using RealNvp.Extensions;

namespace RealNvp.PublicTests.Extensions;

/// <summary>Tensor&lt;T&gt; of .NET gives what arrays give.</summary>
public class NumericsTensorTests
{
    private static readonly double[] numbers = [.. Enumerable.Range(0, 12).Select(i => Math.Sin(i))];

    [Fact]
    public void Rows_give_what_arrays_give_in_both_types()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 0);
        var (x, narrow) = (Tensor.Create(numbers, [4, 3]), Tensor.Create(numbers.Select(n => (float)n).ToArray(), [4, 3]));
        var (wanted, z) = (flow.LogProb(new DataRows(numbers, 3)), flow.Encode(new DataRows(numbers, 3)));

        Same(flow.LogProb(x), [4], wanted);
        Same(flow.Encode(x), [4, 3], z.Cast<double>());
        Same(flow.Decode(flow.Encode(x)), [4, 3], numbers, 1e-4);
        Same(flow.SampleTensor(5, seed: 1), [5, 3], flow.SampleArray(5, seed: 1).Cast<double>());
        Same(flow.SampleTensor(0), [0, 3], []);
        flow.LogProb(narrow).ToArray().Select(v => (double)v).Should().Equal(wanted, (a, b) => Math.Abs(a - b) < 1e-4);
        flow.Decode(flow.Encode(narrow)).ToArray().Should().Equal(narrow.ToArray(), (a, b) => Math.Abs(a - b) < 1e-4);
        flow.Evaluate(x.AsRows()).Count.Should().Be(4);
    }

    [Fact]
    public void A_view_whose_numbers_do_not_lie_together_is_read_in_order()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        var wide = Tensor.Create(numbers, [4, 3]);
        var view = wide.Slice([NRange.All, new NRange(1, 3)]);
        view.IsDense.Should().BeFalse();
        var rows = new double[4, 2];
        for (var i = 0; i < 4; i++) (rows[i, 0], rows[i, 1]) = (numbers[(3 * i) + 1], numbers[(3 * i) + 2]);
        Same(flow.LogProb(view), [4], flow.LogProb(rows));
    }

    [Fact]
    public void Images_have_the_shape_of_an_image_and_contexts_are_rows()
    {
        using var images = new RealNvpModel(RealNvpOptions.Digits8x8, seed: 0);
        var pixels = Tensor.Create(Enumerable.Range(0, 128).Select(i => (float)(i % 17)).ToArray(), [2, 1, 8, 8]);
        var z = images.Encode(pixels, seed: 1);
        z.Lengths.ToArray().Should().Equal(2, 64);
        images.Decode(z).Lengths.ToArray().Should().Equal(2, 1, 8, 8);
        images.Decode(z).ToArray().Should().Equal(pixels.ToArray(), (a, b) => Math.Abs(a - b) < 0.5f);
        images.SampleTensor(3, seed: 1).Lengths.ToArray().Should().Equal(3, 1, 8, 8);

        using var given = new RealNvpModel(RealNvpOptions.Tabular(3) with { ContextSize = 2 }, seed: 0);
        var context = Tensor.Create(numbers[..8], [4, 2]);
        Same(given.LogProb(Tensor.Create(numbers, [4, 3]), context.AsRows()), [4],
            given.LogProb(new DataRows(numbers, 3), new DataRows(numbers.AsSpan(0, 8), 2)));
        given.SampleTensor(2, context.AsRows()).Lengths.ToArray().Should().Equal(8, 3);
    }

    [Fact]
    public void A_tensor_of_another_shape_is_refused_with_both_shapes()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 0);
        Assert.Throws<ArgumentException>(() => flow.LogProb(Tensor.Create(numbers, [3, 4]))).Message.Should()
            .Contain("(N, 3)").And.Contain("(3, 4)");
        Assert.Throws<ArgumentException>(() => flow.LogProb(Tensor.Create(numbers, [12]))).Message.Should().Contain("(12)");
        Assert.Throws<ArgumentException>(() => flow.Decode(Tensor.Create(numbers, [2, 2, 3]))).Message.Should().Contain("(2, 2, 3)");
        Assert.ThrowsAny<ArgumentException>(() => flow.LogProb(Tensor.Create([1f, float.NaN, 2f], [1, 3]))).Message.Should().Contain("NaN");
    }

    [Fact]
    public void Tensors_go_to_torch_and_back()
    {
        var x = Tensor.Create(numbers, [2, 3, 2]);
        using var torch = x.ToTorch();
        torch.shape.Should().Equal(2, 3, 2);
        torch.dtype.Should().Be(TorchSharp.torch.ScalarType.Float64);
        Same(torch.ToNumerics<double>(), [2, 3, 2], numbers);
        torch.ToNumerics<float>().ToArray().Should().Equal(numbers.Select(n => (float)n));
        using var turned = torch.transpose(0, 2);
        turned.ToNumerics<double>()[[1, 2, 0]].Should().Be(x[[0, 2, 1]]);
        using var none = Tensor.Create(Array.Empty<float>(), [0, 3]).ToTorch();
        none.shape.Should().Equal(0, 3);
        none.ToNumerics<float>().Lengths.ToArray().Should().Equal(0, 3);
        Assert.Throws<NotSupportedException>(() => torch.ToNumerics<int>());
        using var one = TorchSharp.torch.tensor(2.5);
        Same(one.ToNumerics<double>(), [1], [2.5]);
    }

    [Fact]
    public void Views_of_all_kinds_are_copied_in_their_order()
    {
        var x = Tensor.Create(numbers, [2, 3, 2]);
        double At(nint i, nint j, nint k) => x[[i, j, k]];
        foreach (var (view, lengths, at) in new (Tensor<double>, nint[], Func<nint, nint, nint, double>)[]
        {
            (x.Slice([new NRange(1, 2), NRange.All, NRange.All]), [1, 3, 2], (i, j, k) => At(1, j, k)),
            (x.Slice([NRange.All, new NRange(1, 3), NRange.All]), [2, 2, 2], (i, j, k) => At(i, j + 1, k)),
            (x.Slice([NRange.All, NRange.All, new NRange(1, 2)]), [2, 3, 1], (i, j, k) => At(i, j, 1)),
            (Tensor.PermuteDimensions<double>(x, [2, 0, 1]), [2, 2, 3], (i, j, k) => At(j, k, i)),
            (Tensor.Broadcast<double>(x.Slice([new NRange(0, 1), NRange.All, NRange.All]), [4, 3, 2]), [4, 3, 2], (i, j, k) => At(0, j, k)),
        })
        {
            using var copy = view.ToTorch();
            copy.shape.Should().Equal([.. lengths.Select(n => (long)n)]);
            for (nint i = 0; i < lengths[0]; i++)
                for (nint j = 0; j < lengths[1]; j++)
                    for (nint k = 0; k < lengths[2]; k++) copy[i, j, k].item<double>().Should().Be(at(i, j, k));
        }
    }

    private static void Same(Tensor<double> tensor, nint[] lengths, IEnumerable<double> wanted, double within = 0)
    {
        tensor.Lengths.ToArray().Should().Equal(lengths);
        tensor.ToArray().Should().Equal([.. wanted], (a, b) => Math.Abs(a - b) <= within);
    }
}
