using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class MaskTests
{
    [Fact]
    public void A_checkerboard_keeps_where_the_sum_of_the_coordinates_is_odd_as_in_the_paper()
    {
        var mask = Mask.Checkerboard(3, 5);
        mask.Shape.Should().Equal(3, 5);
        for (var row = 0; row < 3; row++)
            for (var column = 0; column < 5; column++)
                mask.Kept[(row * 5) + column].Should().Be((row + column) % 2 == 1);
    }

    [Fact]
    public void A_channel_mask_keeps_the_first_half_and_vector_masks_every_second_or_the_first_half()
    {
        Mask.ChannelWise(4).Kept.ToArray().Should().Equal(true, true, false, false);
        Mask.ChannelWise(3).Kept.ToArray().Should().Equal(true, false, false);
        Mask.ChannelWise(3).Shape.Should().Equal(3, 1, 1);
        Mask.Alternating(5).Kept.ToArray().Should().Equal(false, true, false, true, false);
        Mask.FirstHalf(5).Kept.ToArray().Should().Equal(true, true, false, false, false);
    }

    [Fact]
    public void The_complement_exchanges_kept_and_transformed_and_twice_is_the_mask()
    {
        foreach (var mask in new[] { Mask.Checkerboard(2, 3), Mask.ChannelWise(5), Mask.Alternating(2),
            new Mask([2, 2], [true, true, true, false]) })
        {
            (!mask).Should().Be(mask.Complement);
            (!mask).Shape.Should().Equal(mask.Shape);
            (!mask).Kept.ToArray().Should().Equal(mask.Kept.ToArray().Select(k => !k));
            (!!mask).Should().Be(mask);
        }
    }

    [Fact]
    public void It_prints_ones_where_it_keeps_row_by_row()
    {
        Mask.Checkerboard(2, 3).ToString().Should().Be("0 1 0\n1 0 1");
        Mask.ChannelWise(4).ToString().Should().Be("1 1 0 0");
        Mask.Alternating(3).ToString().Should().Be("0 1 0");
        new Mask([2, 2, 2], [true, false, false, false, false, true, true, true]).ToString().Should().Be("1 0\n0 0\n\n0 1\n1 1");
        new Mask([1], [true]).ToString().Should().Be("1");
    }

    [Fact]
    public void Masks_of_the_same_shape_and_values_are_equal()
    {
        var mask = Mask.Checkerboard(2, 2);
        var same = new Mask([2, 2], [false, true, true, false]);
        mask.Should().Be(same);
        mask.GetHashCode().Should().Be(same.GetHashCode());
        mask.Equals((object?)null).Should().BeFalse();
        mask.Should().NotBe(new Mask([4], [false, true, true, false]), "the shape counts");
        mask.Should().NotBe(new Mask([2, 2], [true, false, true, false]), "the values count, not only their number");
    }

    [Fact, Infrastructure.LeavesNoTensors]
    public void A_tensor_of_any_dtype_and_strides_makes_a_mask_and_comes_back()
    {
        using var scope = NewDisposeScope();
        var values = tensor(new[,] { { 1.0, 0, -2 }, { 0, 0, 0.5 } });
        foreach (var dtype in new[] { float64, float32, int64 })
            Mask.FromTensor(values.mul(2).to(dtype)).ToString().Should().Be("1 0 1\n0 0 1", "{0} is kept where it is not 0", dtype);
        Mask.FromTensor(values.ne(0)).ToString().Should().Be("1 0 1\n0 0 1");
        Mask.FromTensor(values.t()).ToString().Should().Be("1 0\n0 0\n1 1", "strides do not matter");
        values.IsInvalid.Should().BeFalse("the tensor stays the caller's");
        var back = Mask.FromTensor(values).ToTensor(float64);
        back.dtype.Should().Be(float64);
        back.equal(values.ne(0).to(float64)).all().item<bool>().Should().BeTrue();
        Mask.Alternating(2).ToTensor(ScalarType.Bool).dtype.Should().Be(ScalarType.Bool);
    }

    [Fact]
    public void The_values_given_are_copied()
    {
        bool[] values = [true, false];
        var mask = new Mask([2], values);
        values[0] = false;
        mask.Kept.ToArray().Should().Equal(true, false);
    }

    [Fact]
    public void What_makes_no_mask_is_refused()
    {
        Refused<ArgumentException>(() => _ = new Mask([2, 2], [true, false, true]), "*mask of shape (2, 2) needs 4 values; got 3*");
        Refused<ArgumentException>(() => _ = new Mask([], []), "*at least one dimension*");
        Refused<ArgumentOutOfRangeException>(() => Mask.ChannelWise(1), "*at least 2 variables*Actual value was 1*");
        Refused<ArgumentOutOfRangeException>(() => Mask.Alternating(1), "*at least 2 variables*");
        Refused<ArgumentOutOfRangeException>(() => Mask.FirstHalf(0), "*at least 2 variables*");
        Refused<ArgumentNullException>(() => _ = !((Mask)null!), "*mask*");
        using var number = tensor(1.0f);
        Refused<ArgumentException>(() => Mask.FromTensor(number), "*at least one dimension*");
    }

    private static void Refused<T>(Action action, string message) where T : Exception => action.Should().Throw<T>().WithMessage(message);

    [Fact]
    public void A_mask_of_fewer_dimensions_covers_examples_of_more()
    {
        // 0 is no size of a mask, so a missing dimension repeats also where the example's size is 0 or 1
        new Mask([2], [true, false]).BroadcastTo([1, 3, 2]).Should().Equal(true, false, true, false, true, false);
        new Mask([2], [true, false]).BroadcastTo([2, 1, 2]).Should().Equal(true, false, true, false);
    }
}
