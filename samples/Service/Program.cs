namespace RealNvp.Samples.Service;

/// <summary>The command line: <c>dotnet run</c> serves; <c>dotnet run -- load</c> asks a service of its own from eight clients.</summary>
public static class Program
{
    /// <summary>Runs the sample.</summary>
    /// <param name="args">Nothing, settings such as <c>--Service:Model my.safetensors --urls http://localhost:5000</c>, or
    /// <c>load [clients] [seconds]</c>.</param>
    /// <returns>0; 1 if the load test met a wrong answer.</returns>
    public static async Task<int> Main(string[] args)
    {
        if (args is ["load", .. var rest])
        {
            var report = await LoadTest.RunAsync(rest.Length > 0 ? Whole(rest[0]) : 8, TimeSpan.FromSeconds(rest.Length > 1 ? Whole(rest[1])
                : 60));
            Console.WriteLine(report);
            return report.Wrong.Count == 0 ? 0 : 1;
        }
        await FlowService.Create(args).RunAsync();
        return 0;
    }

    private static int Whole(string text) => int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number)
        && number > 0
        ? number : throw new ArgumentException($"load [clients] [seconds] takes whole numbers of at least 1; got '{text}'.");
}
