using System.Globalization;
using RealNvp.Plotting;

namespace RealNvp.Tests.Plotting;

/// <summary>Records of options are values, as those of the library are.</summary>
public class PictureOptionsTests
{
    private static readonly Type[] All = [.. typeof(Picture).Assembly.GetExportedTypes()
        .Where(t => !t.IsAbstract && (t.GetMethod("<Clone>$") is not null || t == typeof(PlotBox)))];

    public static TheoryData<string> Records => [.. All.Select(t => t.Name)];

    public static TheoryData<string, string> Lists => [.. All.SelectMany(t => t.GetProperties()
        .Where(p => p.PropertyType.IsGenericType && p.PropertyType.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
        .Select(p => (t.Name, p.Name)))];

    [Fact]
    public void Each_picture_has_a_record_of_options_with_a_title() =>
        typeof(Picture).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(Picture))).Should().OnlyContain(t =>
            All.Single(r => r.Name == t.Name + "Options").IsSubclassOf(typeof(PictureOptions)));

    [Theory, MemberData(nameof(Records))]
    public void The_text_of_a_record_is_the_same_in_every_culture_and_names_its_members(string record)
    {
        var (type, other) = (All.Single(t => t.Name == record), (CultureInfo)CultureInfo.InvariantCulture.Clone());
        (other.NumberFormat.NumberDecimalSeparator, other.NumberFormat.NegativeSign) = (",", "~");
        var value = Activator.CreateInstance(type)!;
        foreach (var property in type.GetProperties().Where(p => p.SetMethod?.IsPublic == true)) property.SetValue(value, Given(property));
        var (before, text) = (CultureInfo.CurrentCulture, value.ToString());
        try
        {
            CultureInfo.CurrentCulture = other;
            value.ToString().Should().Be(text);
            CultureInfo.CurrentCulture.Should().BeSameAs(other, "the caller's culture stays");
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
        text.Should().NotContain("System.").And.Contain("-1.5", "a number was set");
        if (type != typeof(PlotBox)) text.Should().StartWith($"{record} {{ Title = -1.5 text, ").And.EndWith(" }");
    }

    [Theory, MemberData(nameof(Lists))]
    public void A_list_in_a_record_is_a_value(string record, string member)
    {
        var type = All.Single(t => t.Name == record);
        var property = type.GetProperty(member)!;
        var (mine, others) = ((Array)Given(property)!, (Array)Given(property)!);
        var (one, two) = (With(mine), With(others));
        one.Should().Be(two);
        one.GetHashCode().Should().Be(two.GetHashCode());
        one.ToString().Should().Be(two.ToString()).And.Contain($"{member} = [");
        mine.SetValue(mine.GetValue(1), 0);
        one.Should().Be(two, "the caller's array may change");
        With(mine).Should().NotBe(two);

        object With(Array list)
        {
            var made = Activator.CreateInstance(type)!;
            property.SetValue(made, list);
            return made;
        }
    }

    // each member gets a value that its culture would show
    private static object? Given(System.Reflection.PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return type == typeof(string) ? "-1.5 text" : type == typeof(double) ? -1.5 : type == typeof(int) ? -15 : type == typeof(bool)
            ? true
            : type == typeof(PlotBox) ? new PlotBox(-1.5, 2.5, -1.5, 2.5) : type == typeof((double, double)) ? (-1.5, 2.5)
            : type == typeof(IReadOnlyList<string>) ? new[] { "-1.5 a", "b" } : type == typeof(IReadOnlyList<int>) ? new[] { -15, 2 }
            : throw new NotSupportedException($"{property.DeclaringType!.Name}.{property.Name} is a {type}; give it a value here.");
    }

    [Fact]
    public void A_flow_that_knows_its_columns_names_them_in_its_pictures()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2) with { Hidden = 4, Layers = 2, Blocks = 1 }, 1);
        double[,] rows = { { 0, 1 }, { 1, 0.5 }, { -1, 0.2 }, { 0.3, -0.5 } };
        byte[] Panels(string? x, string? y) =>
            new DensityPanels(flow, rows, options: new() { XLabel = x, YLabel = y, PanelWidth = 120, Resolution = 8 }).ToPng();
        string Corner(CornerPlotOptions? options = null) => new CornerPlot(flow, rows, options: options).AltText;
        string Ranks(CalibrationPlotOptions? options = null) => new CalibrationPlot(flow, rows, options: options).AltText;

        Corner().Should().Contain("x1, x2");
        Ranks().Should().Contain("x2");
        Panels(null, null).Should().Equal(Panels("x1", "x2"));
        flow.Info = flow.Info with { Columns = ["speed", "mass"] };
        Corner().Should().Contain("speed, mass");
        Ranks().Should().Contain("speed").And.Contain("mass");
        Panels(null, null).Should().Equal(Panels("speed", "mass")).And.NotEqual(Panels("x1", "x2"));
        Panels("x1", null).Should().Equal(Panels("x1", "mass"));
        // those that are given count more
        Corner(new() { Names = ["a", "b"] }).Should().Contain("a, b");
        Ranks(new() { Names = ["a", "b"] }).Should().NotContain("mass");
        // a blank is nothing to show
        flow.Info = flow.Info with { Columns = [" ", "b"] };
        Corner().Should().Contain("x1, x2");
    }
}
