using System.Text.Json;

namespace RealNvp.Tests.Training;

public class LearningRateScheduleTests
{
    public static TheoryData<LearningRateSchedule, string> All => new()
    {
        { new ConstantSchedule { WarmUpSteps = 3 }, """{"kind":"constant","WarmUpSteps":3}""" },
        { new CosineSchedule { Floor = 0.01, WarmUpSteps = 500 }, """{"kind":"cosine","Floor":0.01,"WarmUpSteps":500}""" },
        { new ExponentialSchedule { Factor = 0.9, Every = 10, Floor = 0.1 },
            """{"kind":"exponential","Factor":0.9,"Every":10,"Floor":0.1,"WarmUpSteps":0}""" },
        { new StepSchedule { Factor = 0.1, Every = 7 }, """{"kind":"step","Factor":0.1,"Every":7,"Floor":0,"WarmUpSteps":0}""" },
    };

    [Theory]
    [MemberData(nameof(All))]
    public void It_goes_through_JSON(LearningRateSchedule schedule, string json)
    {
        JsonSerializer.Serialize(schedule).Should().Be(json);
        JsonSerializer.Deserialize<LearningRateSchedule>(json).Should().Be(schedule);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void It_stays_between_0_and_1_and_never_rises_after_the_warm_up(LearningRateSchedule schedule, string json)
    {
        _ = json;
        double last = 1;
        for (long step = 0; step < 2000; step++)
        {
            var factor = schedule.At(step, 1000);
            factor.Should().BeInRange(0, 1);
            if (step < schedule.WarmUpSteps)
            {
                factor.Should().BeApproximately((step + 1.0) / schedule.WarmUpSteps, 1e-15);
                continue;
            }
            factor.Should().BeLessThanOrEqualTo(last);
            last = factor;
        }
    }

    [Fact]
    public void The_cosine_is_halfway_in_the_middle_and_at_its_floor_from_the_end_on()
    {
        var schedule = new CosineSchedule { Floor = 0.2, WarmUpSteps = 100 };
        schedule.At(99, 1100).Should().Be(1);
        schedule.At(100, 1100).Should().Be(1);
        schedule.At(600, 1100).Should().BeApproximately(0.6, 1e-12);
        schedule.At(1100, 1100).Should().BeApproximately(0.2, 1e-12);
        schedule.At(long.MaxValue, 1100).Should().BeApproximately(0.2, 1e-12);
        schedule.At(50, 20).Should().BeApproximately(0.51, 1e-12, "a warm-up may be longer than the run");
    }

    [Fact]
    public void The_decays_multiply_by_their_factor()
    {
        var smooth = new ExponentialSchedule { Factor = 0.25, Every = 10, WarmUpSteps = 5, Floor = 0.1 };
        smooth.At(5, 100).Should().Be(1);
        smooth.At(10, 100).Should().BeApproximately(0.5, 1e-12);
        smooth.At(15, 100).Should().BeApproximately(0.25, 1e-12);
        smooth.At(99, 100).Should().Be(0.1);
        var jumps = new StepSchedule { Factor = 0.25, Every = 10 };
        jumps.At(9, 100).Should().Be(1);
        jumps.At(10, 100).Should().Be(0.25);
        jumps.At(20, 100).Should().Be(0.0625);
    }

    [Fact]
    public void Numbers_out_of_range_are_refused_with_their_name()
    {
        Throws(() => new ConstantSchedule { WarmUpSteps = -1 }, "*WarmUpSteps must be at least 0*");
        Throws(() => new CosineSchedule { Floor = 1.5 }, "*Floor must be from 0 to 1*");
        Throws(() => new ExponentialSchedule { Factor = double.NaN }, "*Factor must be from 0 to 1*");
        Throws(() => new StepSchedule { Every = 0 }, "*Every must be at least 1*");
        Throws(() => new ConstantSchedule().At(-1, 10), "*step must be at least 0*");
        Throws(() => new ConstantSchedule().At(0, 0), "*totalSteps must be at least 1*");
        Throws(() => JsonSerializer.Deserialize<LearningRateSchedule>("""{"kind":"cosine","Floor":2}""")!, "*Floor must be from 0 to 1*");
        var unknown = () => JsonSerializer.Deserialize<LearningRateSchedule>("""{"kind":"other"}""");
        unknown.Should().Throw<JsonException>();
        static void Throws(Func<object> make, string message) => make.Should().Throw<ArgumentOutOfRangeException>().WithMessage(message);
    }
}
