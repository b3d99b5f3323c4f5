using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp.Plotting;

namespace RealNvp.Tests.Packaging;

/// <summary>Texts of records are the same for users of every culture.</summary>
public class RecordTextTests
{
    public static TheoryData<Type> Records =>
        [.. new[] { typeof(Flow), typeof(PictureOptions), typeof(ML.NormalizingFlowOptions) }.SelectMany(t => t.Assembly.GetExportedTypes())
        .Where(t => t.GetMethod("PrintMembers", AnyInstance) is not null)];

    private const System.Reflection.BindingFlags AnyInstance =
        System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic
        | System.Reflection.BindingFlags.Public;

    [Theory, MemberData(nameof(Records))]
    public void A_record_writes_its_own_text(Type record) => record.GetMethod(nameof(ToString), Type.EmptyTypes)!
        .IsDefined(typeof(CompilerGeneratedAttribute), inherit: false).Should().BeFalse(
            "the compiler's text writes numbers by the culture of its user: RecordText.Of(name, PrintMembers)");

    [Fact]
    public void Numbers_of_options_do_not_follow_the_culture()
    {
        var before = CultureInfo.CurrentCulture;
        // as in Germany and Turkey; a program without ICU has no culture of theirs
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        try
        {
            CultureInfo.CurrentCulture = comma;
            $"{0.25}".Should().Be("0,25");
            new TrainingOptions { LearningRate = 0.25 }.ToString().Should()
                .StartWith("TrainingOptions { ").And.Contain("LearningRate = 0.25");
            (RealNvpOptions.Tabular(3) with { InputLimit = 2.5 }).ToString().Should().Contain("InputLimit = 2.5");
            new CosineSchedule { Floor = 0.125 }.ToString().Should().Contain("Floor = 0.125");
            new PlotBox(-1.5, 1.5, 0, 2).ToString().Should().Be("x -1.5 to 1.5, y 0 to 2");
            CultureInfo.CurrentCulture.Should().BeSameAs(comma, "a text leaves the culture as it was");
        }
        finally { CultureInfo.CurrentCulture = before; }
    }
}
