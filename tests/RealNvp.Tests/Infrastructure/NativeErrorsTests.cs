using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Tests.Infrastructure;

public class NativeErrorsTests
{
    [Fact]
    public void An_error_still_says_what_is_wrong_and_no_more_how_it_came_there()
    {
        using var scope = NewDisposeScope();
        if (!NativeErrors.LeaveOutStacks()) Assert.Skip("nobody describes a stack in another way here");
        var (a, b) = (zeros(2, 3), zeros(4, 5));
        for (var i = 0; i < 3; i++)
            ((Action)(() => a.mm(b))).Should().Throw<ExternalException>().Which.Message.Should().Contain("(2x3 and 4x5)")
                .And.NotContain("frame #");
    }
}
