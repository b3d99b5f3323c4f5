using System.Reflection;
using TorchSharp;
using Xunit.v3;

namespace RealNvp.Tests.Infrastructure;

/// <summary>Random numbers of torch that a test draws without a seed are those of its name, whatever tests ran before it: a failure
/// comes back when the test runs alone.</summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class SeedsRandomNumbersAttribute : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        // FNV-1a: the hash of a string is another one in each process
        var seed = 14695981039346656037UL;
        foreach (var letter in test.TestDisplayName) seed = (seed ^ letter) * 1099511628211UL;
        torch.manual_seed((long)(seed >> 1)).Dispose();
    }
}
