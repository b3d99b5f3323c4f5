using System.Runtime.CompilerServices;

namespace RealNvp.Tests.House;

public class RecordTests
{
    // the records of the library that have lists, and these
    public static TheoryData<string, string> Lists => [.. Records().SelectMany(t => t.GetProperties()
        .Where(p => p.SetMethod?.IsPublic == true && ElementOf(p.PropertyType) is not null).Select(p => (t.Name, p.Name)))];

    /// <summary>A list in a record has a value's rights: it is copied, equal to an equal one, and printed by its elements.</summary>
    [Theory, MemberData(nameof(Lists))]
    public void A_list_in_a_record_is_a_value(string record, string member)
    {
        var type = Records().Single(t => t.Name == record);
        var property = type.GetProperty(member)!;
        var (mine, others) = (Given(ElementOf(property.PropertyType)!), Given(ElementOf(property.PropertyType)!));
        var (one, two) = (With(mine), With(others));
        property.GetValue(one)!.Should().Be(property.GetValue(two)).And.NotBeSameAs(mine);
        property.GetValue(one)!.GetHashCode().Should().Be(property.GetValue(two)!.GetHashCode());
        property.GetValue(one)!.ToString().Should().StartWith("[").And.NotContain("System.");
        mine.SetValue(others.GetValue(1), 0);
        property.GetValue(one).Should().Be(property.GetValue(two), "the caller's array may change");
        property.GetValue(With(mine)).Should().NotBe(property.GetValue(two));

        object With(Array list)
        {
            var made = RuntimeHelpers.GetUninitializedObject(type);
            property.SetValue(made, list);
            return made;
        }
    }

    private static IEnumerable<Type> Records() => typeof(Flow).Assembly.GetExportedTypes().Where(t => t.GetMethod("<Clone>$") is not null);

    private static Type? ElementOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    private static Array Given(Type element)
    {
        var list = Array.CreateInstance(element, 2);
        for (var i = 0; i < 2; i++)
            list.SetValue(element == typeof(string) ? $"name {i}" : element.IsValueType ? Convert.ChangeType(i, element)
                : element == typeof(UniformityTest) ? new UniformityTest { Name = "", Count = i, Draws = 0, Points = [], Observed = [],
                    Lower = [], Upper = [], Mean = 0, Spread = 0, PValue = 0 }
                : new EpochRecord { Epoch = i, Step = 0, Loss = 0, BitsPerDim = null, ValidationLoss = null, ValidationBitsPerDim = null,
                    Seconds = 0 }, i);
        return list;
    }
}
