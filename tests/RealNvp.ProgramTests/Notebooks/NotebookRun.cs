using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using TorchSharp;

namespace RealNvp.Tests.Notebooks;

/// <summary>Runs the code cells of a notebook one after the other in one C# script, as
/// a kernel does, on the assemblies of these tests and with small sizes.</summary>
internal static class NotebookRun
{
    private const string SmallSizes = "REALNVP_NOTEBOOK_SMALL";

    // what the kernel imports by itself
    private static readonly ScriptOptions options = ScriptOptions.Default
        .WithReferences(((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)))
        .WithImports("System", "System.Text", "System.Collections", "System.Collections.Generic", "System.Threading.Tasks", "System.Linq")
        .WithOptimizationLevel(OptimizationLevel.Release);

    /// <summary>What each cell shows; an error names the cell.</summary>
    public static async Task<IReadOnlyList<(string Cell, string MimeType, string Text)>> RunAsync(Notebook notebook)
    {
        var kernel = new NotebookKernel();
        var (folder, sizes, console) = (Directory.GetCurrentDirectory(), Environment.GetEnvironmentVariable(SmallSizes), Console.Out);
        Directory.SetCurrentDirectory(Notebook.Folder);
        Environment.SetEnvironmentVariable(SmallSizes, "1");
        Console.SetOut(TextWriter.Null);
        ScriptState<object>? state = null;
        // tensors of the cells live as long as the notebook
        using var scope = torch.NewDisposeScope();
        try
        {
            foreach (var cell in notebook.Code)
            {
                kernel.Cell = cell.Id ?? "";
                try
                {
                    var code = Notebook.WithoutDirectives(cell.Source);
                    state = state is null ? await CSharpScript.RunAsync(code, options, kernel, typeof(NotebookKernel))
                        : await state.ContinueWithAsync(code, options);
                }
                catch (CompilationErrorException e)
                {
                    throw new InvalidOperationException(
                        $"Cell '{cell.Id}' of {notebook.Name} does not compile: {string.Join('\n', e.Diagnostics)}", e);
                }
                catch (Exception e)
                {
                    throw new InvalidOperationException($"Cell '{cell.Id}' of {notebook.Name} throws: {e.Message}", e);
                }
                if (state.ReturnValue is { } value) kernel.display(value);
            }
            return kernel.Shown;
        }
        finally
        {
            foreach (var owner in (state?.Variables ?? []).Select(v => v.Value).OfType<IDisposable>()) owner.Dispose();
            Console.SetOut(console);
            Environment.SetEnvironmentVariable(SmallSizes, sizes);
            Directory.SetCurrentDirectory(folder);
        }
    }
}

/// <summary>What a kernel puts into the scope of cells.</summary>
public sealed class NotebookKernel
{
    internal List<(string Cell, string MimeType, string Text)> Shown { get; } = [];

    internal string Cell { get; set; } = "";

#pragma warning disable IDE1006, CA1715 // its name in a notebook
    public void display(object value)
    {
        var (type, text) = NotebookDisplay.Show(value);
        Shown.Add((Cell, type, text));
    }
#pragma warning restore IDE1006, CA1715
}
