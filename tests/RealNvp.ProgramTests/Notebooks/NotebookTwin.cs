using System.Text;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace RealNvp.Tests.Notebooks;

/// <summary>Writes a notebook as a file-based app: its text as comments, its
/// code, and what a cell shows as an argument of <c>display</c>.</summary>
internal static class NotebookTwin
{
    private const int Width = 130;

    private static readonly CSharpParseOptions script = new(LanguageVersion.CSharp14, kind: SourceCodeKind.Script);

    public static string PathOf(string name) => Path.Combine(Notebook.Folder, name + ".cs");

    public static string Write(Notebook notebook)
    {
        // a program has its usings first and its types last
        var (usings, statements, types) = (new List<string>(), new StringBuilder(), new List<string>());
        foreach (var cell in notebook.Cells)
        {
            if (!cell.IsCode)
            {
                if (statements.Length > 0 && !statements.ToString().EndsWith("\n\n", StringComparison.Ordinal)) statements.Append("//\n");
                foreach (var line in cell.Source.Split('\n').SelectMany(Wrap))
                    statements.Append(line.Length == 0 ? "//\n" : $"// {line}\n");
                continue;
            }
            var code = Notebook.WithoutDirectives(cell.Source);
            var root = SyntaxFactory.ParseCompilationUnit(code, options: script);
            usings.AddRange(root.Usings.Select(u => u.ToString()));
            var changes = root.Usings.Select(u => new TextChange(u.FullSpan, "")).ToList();
            foreach (var type in root.Members.OfType<BaseTypeDeclarationSyntax>())
            {
                types.Add(code.Substring(type.FullSpan.Start, type.FullSpan.Length).Trim('\n') + "\n\n");
                changes.Add(new TextChange(type.FullSpan, $"// {type.Identifier.Text} is at the end of this file\n"));
            }
            if (root.Members.LastOrDefault()
                is GlobalStatementSyntax { Statement: ExpressionStatementSyntax { SemicolonToken.IsMissing: true } shown })
                changes.AddRange([new TextChange(new TextSpan(shown.SpanStart, 0), "display("),
                    new TextChange(new TextSpan(shown.Expression.Span.End, 0), ");")]);
            var rest = SourceText.From(code).WithChanges(changes.OrderBy(c => c.Span.Start)).ToString().Trim('\n');
            statements.Append('\n').Append(rest.Length == 0 ? "" : rest + "\n\n");
        }
        var system = usings.Distinct().Where(u => u.StartsWith("using System", StringComparison.Ordinal));
        var others = usings.Distinct().Where(u => !u.StartsWith("using System", StringComparison.Ordinal));
        return $$"""
            #!/usr/bin/env dotnet
            #:project ../../src/RealNvp
            #:project ../../src/RealNvp.Plotting
            #:package TorchSharp-cpu
            #:property PublishAot=false

            // The notebook {{notebook.Name}}.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/{{notebook.Name}}.cs
            // It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
            // With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
            // and the third has a version too.

            {{string.Join('\n', system.Concat(others.Where(u => !u.StartsWith("using static", StringComparison.Ordinal))).Concat(others.Where(u => u.StartsWith("using static", StringComparison.Ordinal))))}}
            using static Shown;

            {{statements.ToString().TrimEnd('\n').Replace("\n\n\n", "\n\n", StringComparison.Ordinal)}}

            {{string.Concat(types)}}/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
            static class Shown
            {
                static int pictures;

                public static void display(object? value)
                {
                    if (value is Picture picture)
                    {
                        var path = Path.Combine("out", "notebooks", $"{{notebook.Name}}-{++pictures}.png");
                        picture.Save(path);
                        Console.WriteLine($"wrote {path}");
                    }
                    else
                        Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
                }
            }

            """;
    }

    // as wide as the repository's code
    private static IEnumerable<string> Wrap(string line)
    {
        while (line.Length > Width && line.LastIndexOf(' ', Width) is var end && end > 0)
        {
            yield return line[..end];
            line = line[(end + 1)..];
        }
        yield return line;
    }
}
