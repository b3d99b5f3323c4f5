using System.Runtime.CompilerServices;
using Xunit.v3;

namespace RealNvp.Tests.Infrastructure;

/// <summary>A proof that takes many seconds. A plain run skips it; CONTRIBUTING.md has the command that runs it.</summary>
public sealed class SlowFactAttribute : FactAttribute, ITraitAttribute
{
    public SlowFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Explicit = true;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => Slow.Traits;
}

/// <summary>A proof with data that takes many seconds. A plain run skips it.</summary>
public sealed class SlowTheoryAttribute : TheoryAttribute, ITraitAttribute
{
    public SlowTheoryAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Explicit = true;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => Slow.Traits;
}

internal static class Slow
{
    public static IReadOnlyCollection<KeyValuePair<string, string>> Traits { get; } = [new("Category", "Slow")];
}
