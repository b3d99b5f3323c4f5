using System.Reflection;
using TorchSharp;
using Xunit.v3;

namespace RealNvp.Tests.Infrastructure;

/// <summary>Fails a test after which more (or fewer) tensors are alive than before it, leaks and double ownership alike.</summary>
/// <remarks>
/// TorchSharp counts tensors by the thread that makes and disposes them, so the test must be synchronous; what other
/// threads make is not seen. A tensor that only the garbage collector frees counts as alive, as it should: finalizers
/// run on their own thread. What the test class makes in its constructor is not counted.
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class LeavesNoTensorsAttribute : BeforeAfterTestAttribute
{
    private long liveBefore;
    private int thread;

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (typeof(Task).IsAssignableFrom(methodUnderTest.ReturnType) || methodUnderTest.ReturnType == typeof(ValueTask))
            throw new InvalidOperationException(
                $"[LeavesNoTensors] counts on one thread, and {methodUnderTest.Name} is async: make it synchronous.");
        thread = Environment.CurrentManagedThreadId;
        liveBefore = Live;
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (thread != Environment.CurrentManagedThreadId)
            throw new InvalidOperationException(
                $"{methodUnderTest.Name} began and ended on different threads, so its tensors can't be counted.");
        // A test that throws leaves tensors behind; its own message is the one to read.
        if (TestContext.Current.TestState?.Result == TestResult.Failed) return;
        var left = Live - liveBefore;
        if (left > 0) Assert.Fail($"{methodUnderTest.Name} left {left} tensor(s) alive.");
        if (left < 0) Assert.Fail($"{methodUnderTest.Name} disposed {-left} tensor(s) that it had not made.");
    }

    private static long Live => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
}
