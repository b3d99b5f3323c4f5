using TorchSharp;
using Xunit.Sdk;

namespace RealNvp.Tests.Infrastructure;

public class LeavesNoTensorsTests
{
    [Fact]
    [LeavesNoTensors]
    public void A_test_that_disposes_what_it_makes_passes()
    {
        using var scope = torch.NewDisposeScope();
        _ = torch.zeros(3) + torch.ones(3);
        torch.zeros(2).MoveToOuterDisposeScope().Dispose();
    }

    [Fact]
    public void A_test_that_leaves_a_tensor_fails_with_the_number()
    {
        torch.Tensor? left = null;
        Counting(() => left = torch.zeros(3)).Should().Throw<FailException>().WithMessage("*left 1 tensor(s) alive*");
        left!.Dispose();
    }

    [Fact]
    public void A_test_that_disposes_another_ones_tensor_fails()
    {
        var other = torch.zeros(3);
        Counting(other.Dispose).Should().Throw<FailException>().WithMessage("*disposed 1 tensor(s) that it had not made*");
    }

    [Fact]
    public void An_async_test_is_refused()
    {
        var attribute = new LeavesNoTensorsAttribute();
        var before = () => attribute.Before(((Func<Task>)Async).Method, null!);
        before.Should().Throw<InvalidOperationException>().WithMessage("*is async: make it synchronous*");

        static Task Async() => Task.CompletedTask;
    }

    private static Action Counting(Action body) => () =>
    {
        var attribute = new LeavesNoTensorsAttribute();
        attribute.Before(body.Method, null!);
        body();
        attribute.After(body.Method, null!);
    };
}
