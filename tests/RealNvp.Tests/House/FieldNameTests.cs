using System.Reflection;
using TorchSharp;

namespace RealNvp.Tests.House;

public class FieldNameTests
{
    /// <summary>TorchSharp registers parts of a module by the names of its fields, so these
    /// names are keys of state dicts, in Python's style. Nothing else is named so.</summary>
    [Fact]
    public void Fields_in_snake_case_are_keys_of_state_dicts() =>
        string.Join(", ", typeof(Flow).Assembly.GetTypes().Where(t => !t.IsEnum && !t.FullName!.Contains('<', StringComparison.Ordinal)
            && !t.IsSubclassOf(typeof(System.Text.Json.Serialization.JsonSerializerContext)))
            .SelectMany(t => t.GetFields(
                BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(f => f.Name.Contains('_', StringComparison.Ordinal) && !f.Name.Contains('<', StringComparison.Ordinal))
            .Where(f => !(typeof(torch.nn.Module).IsAssignableFrom(f.DeclaringType) && (typeof(torch.Tensor).IsAssignableFrom(f.FieldType)
                || typeof(torch.nn.Module).IsAssignableFrom(f.FieldType))))
            .Select(f => $"{f.DeclaringType!.Name}.{f.Name}")).Should().BeEmpty();
}
