using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>Texts of the library are the same for users of every culture: 1.5, and not 1,5 for a German and 1.5 for an American.</summary>
public class CultureTests
{
    private static readonly CSharpParseOptions options = new(LanguageVersion.CSharp14);

    /// <summary>What the slow test finds by types, as far as it is seen without them: a format that has no culture at its side, such as
    /// in a text inside of another one, which does not inherit that one's.</summary>
    [Fact]
    public void Every_format_has_a_culture_at_its_side()
    {
        var trees = new[] { Repository.At("src"), Repository.At("samples", "Common") }.SelectMany(Trees).ToArray();
        trees.Should().HaveCountGreaterThan(500);
        string.Join('\n', trees.SelectMany(FormatsWithoutCulture)).Should().BeEmpty(
            "string.Create(CultureInfo.InvariantCulture, $\"...\") writes it for all alike, and not a text inside of that text");
    }

    [Theory, InlineData("""string.Create(culture, $"{(x > 0 ? $"{x:N0} more" : "")}")""", 1),
        InlineData("""string.Create(culture, x > 0 ? $"{x:N0}" : "")""", 1), InlineData("""Name($"{x:N0}")""", 1),
        InlineData("""$"{x:0.0}" + "s" """, 1), InlineData("""string.Create(culture, $"{x:N0}" + $"{x:G3}")""", 0),
        InlineData("""$"{string.Create(culture, $"{x:N0}")} {x:X2}" """, 0), InlineData("""Invariant($"{x:N0}")""", 0)]
    public void A_format_without_a_culture_is_found(string text, int found) => FormatsWithoutCulture(CSharpSyntaxTree.ParseText(
        $"var a = {text};", options, Repository.At("src", "a.cs"))).Should().HaveCount(found);

    [SlowTheory, InlineData("src", "RealNvp"), InlineData("src", "RealNvp.Plotting"), InlineData("src", "RealNvp.Extensions"),
        InlineData("src", "RealNvp.ML"), InlineData("src", "RealNvp.Mpi"),
        InlineData("src", "RealNvp.Scoring"), InlineData("samples", "Common")]
    public void No_text_writes_a_number_by_the_culture_of_its_user(string root, string library)
    {
        var trees = Trees(Repository.At(root, library)).Append(CSharpSyntaxTree.ParseText("""
                global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
                global using System.Threading; global using System.Threading.Tasks;
                """, options)).ToArray();
        trees.Should().HaveCountGreaterThan(5);
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != (library == "Common" ? "RealNvp.Samples.Common" : library))
            .Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create(library, trees, references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));

        var found = trees.SelectMany(tree =>
        {
            var model = compilation.GetSemanticModel(tree);
            return tree.GetRoot().DescendantNodes().OfType<InterpolatedStringExpressionSyntax>()
                .Where(text => IsString(model, text))
                .SelectMany(text => text.Contents.OfType<InterpolationSyntax>())
                .Where(hole => DependsOnCulture(model, hole))
                .Select(hole => Place(tree, hole));
        });
        string.Join('\n', found).Should().BeEmpty("string.Create(CultureInfo.InvariantCulture, $\"...\") writes it for all alike");
    }

    private static IEnumerable<SyntaxTree> Trees(string folder) => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        .Where(f => !Path.GetRelativePath(folder, f).Split(Path.DirectorySeparatorChar).Any(p => p is "bin" or "obj"))
        .Select(f => CSharpSyntaxTree.ParseText(File.ReadAllText(f), options, f));

    private static IEnumerable<string> FormatsWithoutCulture(SyntaxTree tree) =>
        tree.GetRoot().DescendantNodes().OfType<InterpolatedStringExpressionSyntax>()
            .Where(text => !IsGivenACulture(Outermost(text)))
            .SelectMany(text => text.Contents.OfType<InterpolationSyntax>())
            .Where(hole => hole.FormatClause is { } format && !IsTheSameEverywhere(format.FormatStringToken.ValueText))
            .Select(hole => Place(tree, hole));

    // hexadecimal digits, digits alone, and what a Guid is written by
    private static bool IsTheSameEverywhere(string format) => format[0] is 'x' or 'X' || format == "N" || format.All(c => c == '0');

    private static bool IsGivenACulture(ExpressionSyntax text)
    {
        if (text.Parent is not ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax call } argument) return false;
        var name = call.Expression is MemberAccessExpressionSyntax member ? member.Name.ToString() : call.Expression.ToString();
        return name == "Invariant" || TakesFormattable(text.SyntaxTree, name)
            || (call.ArgumentList.Arguments[0] is var first && first != argument
                && first.ToString().Contains("ulture", StringComparison.Ordinal));
    }

    // a method of the same file that is given the parts of the text, and so chooses the culture
    private static bool TakesFormattable(SyntaxTree tree, string method) => tree.GetRoot().DescendantNodes()
        .OfType<MethodDeclarationSyntax>().Any(m => m.Identifier.ValueText == method
            && m.ParameterList.Parameters is [{ Type: { } type }] && type.ToString() == nameof(FormattableString));

    private static ExpressionSyntax Outermost(ExpressionSyntax text)
    {
        while (text.Parent is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AddExpression } or ParenthesizedExpressionSyntax)
            text = (ExpressionSyntax)text.Parent;
        return text;
    }

    private static string Place(SyntaxTree tree, InterpolationSyntax hole) =>
        $"{Path.GetRelativePath(Repository.Root, tree.FilePath)}:{hole.GetLocation().GetLineSpan().StartLinePosition.Line + 1}: {hole}";

    // an argument of string.Create becomes a handler and one of FormattableString.Invariant a FormattableString; parts of a sum
    // of texts become what the sum does
    private static bool IsString(SemanticModel model, ExpressionSyntax text) =>
        model.GetTypeInfo(Outermost(text)).ConvertedType?.SpecialType is SpecialType.System_String or SpecialType.System_Object;

    private static bool DependsOnCulture(SemanticModel model, InterpolationSyntax hole)
    {
        var type = model.GetTypeInfo(hole.Expression).Type;
        if (type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable)
            type = nullable.TypeArguments[0];
        var format = hole.FormatClause?.FormatStringToken.ValueText ?? "";
        return type?.SpecialType switch
        {
            SpecialType.System_Single or SpecialType.System_Double or SpecialType.System_Decimal or SpecialType.System_DateTime => true,
            SpecialType.System_Int32 or SpecialType.System_Int64 or SpecialType.System_UInt64 => format.StartsWith('N'),
            _ => false,
        };
    }
}
