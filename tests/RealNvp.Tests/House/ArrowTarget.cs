namespace RealNvp.Tests.House;

#pragma warning disable CA1052, CA1822, CA1852, CS0649, IDE0051

// one type for each way in which a type can know another
internal class ArrowTarget
{
    public const int Literal = 1, Other = 2;

    public static int Number => 3;
}

internal sealed class ByBase : ArrowTarget;

internal sealed class ByField
{
    public List<ArrowTarget[]>? Field;
}

internal sealed class ByParameter
{
    public static int Size(in ArrowTarget? value) => value is null ? 0 : 1;
}

internal sealed class ByCall
{
    public static int Call() => ArrowTarget.Number;
}

internal sealed class ByLambda
{
    public static Func<int> Call(int a) => () => a + ArrowTarget.Number;
}

internal sealed class ByTypeOf
{
    public static string Call(int a)
    {
        switch (a)
        {
            case 0: return "0";
            case 1: return "1";
            case 2: return "2";
            case 3: return "3";
            default: return typeof(ArrowTarget).Name;
        }
    }
}

internal sealed class ByConstraint
{
    public static void Call<T>() where T : ArrowTarget { }
}

internal sealed class ByGeneric
{
    public static int Call() => Array.Empty<ArrowTarget>().Length;
}

internal sealed class ByIterator
{
    public static IEnumerable<int> Call()
    {
        yield return 1;
        yield return ArrowTarget.Number;
    }
}
