using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Docs;

/// <summary>The C# of a document as one program: its blocks in their order, as a reader who pastes one after the other has it.</summary>
/// <remarks>
/// Blocks of <c>```csharp</c> are meant; a block without a language is not compiled. Types may stand anywhere among the
/// statements. A block of <c>```csharp NAME</c> is a program of its own, which a test takes by its name (<see cref="Named"/>).
/// </remarks>
internal static partial class DocumentProgram
{
    private const string Usings =
        "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using " +
            "System.Threading; global using System.Threading.Tasks;";

    /// <summary>The documents that have C#, as paths from the repository's root.</summary>
    public static IEnumerable<string> All => new[]
        { "README.md", "src/RealNvp/PACKAGE.md", "src/RealNvp.Plotting/PACKAGE.md", "src/RealNvp.Extensions/PACKAGE.md",
            "skills/realnvp/SKILL.md" }
        .Concat(Directory.EnumerateFiles(Repository.At("docs"), "*.md", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Repository.Root, f).Replace('\\', '/')).Order(StringComparer.Ordinal))
        .Where(document => Blocks(document).Any());

    /// <summary>The blocks of a document.</summary>
    public static IEnumerable<string> Blocks(string document) =>
        Block().Matches(File.ReadAllText(Repository.At(document)).ReplaceLineEndings("\n")).Select(m => m.Groups[1].Value);

    /// <summary>The one block of a document that has a name.</summary>
    public static string Named(string document, string name) => Regex
        .Matches(File.ReadAllText(Repository.At(document)).ReplaceLineEndings("\n"), $"^```csharp {name}\n(.*?)^```",
            RegexOptions.Singleline | RegexOptions.Multiline)
        .Single().Groups[1].Value;

    /// <summary>Compiles the program; an error names the document and the line of the code.</summary>
    public static Assembly Compile(string document)
    {
        var options = new CSharpParseOptions(LanguageVersion.CSharp14);
        var parts = Blocks(document).Select(b => SyntaxFactory.ParseCompilationUnit(b, options: options)).ToArray();
        // a program has its usings first and its types last
        var text = string.Concat(parts.SelectMany(p => p.Usings.Select(u => u.ToString()).Distinct()).Distinct().Select(u => u + "\n"))
            + string.Concat(parts.SelectMany(p => p.Members.OfType<GlobalStatementSyntax>()).Select(m => m.ToFullString()))
            + string.Concat(parts.SelectMany(p => p.Members.Where(m => m is not GlobalStatementSyntax)).Select(m => m.ToFullString()));
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create("Document_" + Path.GetFileNameWithoutExtension(document).Replace('-', '_'),
            [CSharpSyntaxTree.ParseText(Usings, options), CSharpSyntaxTree.ParseText(text, options)], references,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        using var stream = new MemoryStream();
        var result = compilation.Emit(stream);
        result.Diagnostics.Where(d => d.Severity >= DiagnosticSeverity.Warning && d.Id is not ("CS8892" or "CS1701" or "CS1702"))
            .Select(d =>
            $"{document}: {d.GetMessage(System.Globalization.CultureInfo.InvariantCulture)} in: " +
            $"{text.Split('\n').ElementAtOrDefault(d.Location.GetLineSpan().StartLinePosition.Line)?.Trim()}")
            .Should().BeEmpty();
        return Assembly.Load(stream.ToArray());
    }

    /// <summary>Compiles and runs the program in a folder with the files of docs/data/NAME alone; what it writes to the console.</summary>
    /// <remarks>The console and the current folder are the process's: tests that call it are of the collection "Console".</remarks>
    public static async Task<string> RunAsync(string document)
    {
        var main = Compile(document).EntryPoint!;
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        var (before, console) = (Directory.GetCurrentDirectory(), Console.Out);
        // what the code of a document reads
        var files = Repository.At($"docs/data/{Path.GetFileNameWithoutExtension(document)}");
        foreach (var file in Directory.Exists(files) ? Directory.GetFiles(files) : [])
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        Directory.SetCurrentDirectory(folder.Path);
        Console.SetOut(output);
        try
        {
            TorchSharp.torch.manual_seed(0).Dispose();
            var result = main.Invoke(null, main.GetParameters().Length == 0 ? [] : [Array.Empty<string>()]);
            if (result is Task task) await task;
        }
        catch (TargetInvocationException e) {
            throw new InvalidOperationException($"The code of {document} fails: {e.InnerException!.Message}", e.InnerException); }
        finally
        {
            Console.SetOut(console);
            Directory.SetCurrentDirectory(before);
        }
        return output.ToString();
    }

    [GeneratedRegex("^ *```csharp\n(.*?)^ *```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();
}
