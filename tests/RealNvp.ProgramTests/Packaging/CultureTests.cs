using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>Texts of the library are the same for users of every culture: 1.5, and not 1,5 for a German and 1.5 for an American.</summary>
public class CultureTests
{
    [SlowTheory, InlineData("RealNvp"), InlineData("RealNvp.Plotting"), InlineData("RealNvp.Extensions"),
        InlineData("RealNvp.ML"), InlineData("RealNvp.Mpi")]
    public void No_text_writes_a_number_by_the_culture_of_its_user(string library)
    {
        var options = new CSharpParseOptions(LanguageVersion.CSharp14);
        var folder = Repository.At("src", library);
        var trees = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(f => !Path.GetRelativePath(folder, f).Split(Path.DirectorySeparatorChar).Any(p => p is "bin" or "obj"))
            .Select(f => CSharpSyntaxTree.ParseText(File.ReadAllText(f), options, f))
            .Append(CSharpSyntaxTree.ParseText("""
                global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
                global using System.Threading; global using System.Threading.Tasks;
                """, options)).ToArray();
        trees.Should().HaveCountGreaterThan(5);
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != library).Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create(library, trees, references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));

        var found = trees.SelectMany(tree =>
        {
            var model = compilation.GetSemanticModel(tree);
            return tree.GetRoot().DescendantNodes().OfType<InterpolatedStringExpressionSyntax>()
                .Where(text => IsString(model, text))
                .SelectMany(text => text.Contents.OfType<InterpolationSyntax>())
                .Where(hole => DependsOnCulture(model, hole))
                .Select(hole => $"{Path.GetRelativePath(Repository.Root, tree.FilePath)}:"
                    + $"{hole.GetLocation().GetLineSpan().StartLinePosition.Line + 1}: {hole}");
        });
        string.Join('\n', found).Should().BeEmpty("string.Create(CultureInfo.InvariantCulture, $\"...\") writes it for all alike");
    }

    // an argument of string.Create becomes a handler and one of FormattableString.Invariant a FormattableString; parts of a sum
    // of texts become what the sum does
    private static bool IsString(SemanticModel model, ExpressionSyntax text)
    {
        var outermost = text;
        while (outermost.Parent is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AddExpression } or ParenthesizedExpressionSyntax)
            outermost = (ExpressionSyntax)outermost.Parent;
        return model.GetTypeInfo(outermost).ConvertedType?.SpecialType is SpecialType.System_String or SpecialType.System_Object;
    }

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
