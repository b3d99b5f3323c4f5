using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using RealNvp;
using RealNvp.Benchmarks;
using TorchSharp;

var name = new Option<string?>("--case") { Description = "Only cases whose name contains this." };
var threads = new Option<int>("--threads") { Description = "Threads of torch.", DefaultValueFactory = _ => Environment.ProcessorCount };
var device = new Option<string>("--device") { Description = "cpu or cuda.", DefaultValueFactory = _ => "cpu" };
var rounds = new Option<int>("--rounds") { Description = "Timed calls of each phase.", DefaultValueFactory = _ => 15 };
var json = new Option<string?>("--json") { Description = "Writes the results to this file, one JSON object a line." };
var root = new RootCommand("Times training steps, log-probabilities and samples. Run it while nothing else runs.") { name, threads, device, rounds, json };
root.SetAction(parsed =>
{
    torch.set_num_threads(parsed.GetValue(threads));
    var target = parsed.GetValue(device) == "cuda" ? torch.CUDA : torch.CPU;
    Console.WriteLine("case                 phase      median      min      max ms   of 400 GFLOP/s");
    var lines = new List<string>();
    foreach (var row in Cases.All.Where(c => parsed.GetValue(name) is not { } wanted || c.Name.Contains(wanted, StringComparison.Ordinal)))
        foreach (var (phase, times) in Time(row, target, parsed.GetValue(rounds)))
        {
            var median = times[times.Length / 2];
            var floor = row.GigaFlop / 400 * 1000 * (phase == "train" ? 3 : 1);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Name + " B=" + row.Batch,-20} {phase,-8} {median,8:F2} {times[0],8:F2} {times[^1],8:F2}      {floor / median,8:P0}"));
            lines.Add(JsonSerializer.Serialize(new { @case = row.Name, batch = row.Batch, phase, median, min = times[0], max = times[^1], floor, threads = parsed.GetValue(threads), device = target.ToString(), runtime = Environment.Version.ToString() }));
        }
    if (parsed.GetValue(json) is { } path) File.WriteAllLines(path, lines);
});
return root.Parse(args).Invoke();

static IEnumerable<(string Phase, double[] Milliseconds)> Time(Case row, torch.Device device, int rounds)
{
    using var scope = torch.NewDisposeScope();
    torch.manual_seed(0);
    using var flow = row.Make();
    flow.to(device);
    var x = row.Data().to(device);
    using var adam = new AdamOptimizer(flow);
    yield return ("train", Measure(() =>
    {
        adam.ZeroGradients();
        flow.NegativeLogLikelihood(x).backward();
        adam.Step(1e-4);
    }, rounds));
    flow.eval();
    using var gradients = torch.no_grad();
    yield return ("logprob", Measure(() => flow.LogProb(x), rounds));
    yield return ("sample", Measure(() => flow.Sample(row.Batch), rounds));
}

static double[] Measure(Action action, int rounds)
{
    var times = new double[rounds];
    for (var i = -3; i < rounds; i++)   // three calls warm up
    {
        var watch = Stopwatch.StartNew();
        using (torch.NewDisposeScope()) action();
        if (torch.cuda.is_available()) torch.cuda.synchronize();
        if (i >= 0) times[i] = watch.Elapsed.TotalMilliseconds;
    }
    Array.Sort(times);
    return times;
}
