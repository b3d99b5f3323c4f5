#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// The notebook 3-anomalies.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/3-anomalies.cs
// It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
// With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
// and the third has a version too.

using System.Globalization;
using System.IO;
using RealNvp;
using RealNvp.Plotting;
using static Shown;

// # 3. Anomalies in a table
//
// Rows that are unlikely are worth a look. Here a flow learns what is usual in a table of speech sounds, 12 numbers a row, and finds
// a speaker that it has never heard. Beside it stand the two usual methods: a Gaussian, and an isolation forest. There are no
// tensors: arrays go in, arrays come out.

// tests run the notebook with small numbers
var small = Environment.GetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL") == "1";

// ## Data
//
// Three speakers are normal. The last column is 1 for 50 rows of a fourth one. The flow learns from 1,000 normal rows alone. A
// hundred more set the threshold; the other normal rows and all anomalies are for the test.

// a file of samples/data, which is in this folder or in one above it
string Data(string name)
{
    for (var folder = new DirectoryInfo("."); folder is not null; folder = folder.Parent)
        if (File.Exists(Path.Combine(folder.FullName, "samples", "data", name)))
            return Path.Combine(folder.FullName, "samples", "data", name);
    throw new FileNotFoundException($"samples/data/{name} is not here: run this in a clone.");
}

var lines = File.ReadAllLines(Data("vowels/vowels.csv"));
var columns = lines[0].Split(',')[..12];
var table = lines.Skip(1)
    .Select(l => l.Split(',').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray())
    .ToArray();

var random = new Random(0);
var normal = table.Where(r => r[12] == 0).Select(r => r[..12]).ToArray();
random.Shuffle(normal);
var anomalies = table.Where(r => r[12] == 1).Select(r => r[..12]).ToArray();
var training = normal[..(small ? 80 : 1000)];
var (calibration, test) = (normal[1000..1100], normal[1100..].Concat(anomalies).ToArray());
var isAnomaly = test.Select((_, row) => row >= test.Length - anomalies.Length).ToArray();
display($"{training.Length} rows to learn from, {test.Length} to test, {anomalies.Length} of them anomalies");

// ## A density in one line
//
// `Fit` chooses a model by the number of rows and columns, holds a tenth of the rows out, and trains until those do not improve any
// more. Its report has the score of a Gaussian beside it.

var options = new FitOptions
{
    Columns = columns,
    Seed = 1,
    Model = small ? RealNvpOptions.Tabular(12, rows: 80) with { Hidden = 4 } : null,
    Training = small ? new TrainingOptions { Epochs = 1 } : null,
};
var model = FlowModel.Fit(training, options: options);
display(model.Report);

// Does it know the table? Rows that the model draws (orange) should lie where the held-out normal rows do (blue), column by column
// and pair by pair.

display(new CornerPlot(
    normal[1000..], model.Sample(normal.Length - 1000, seed: 1),
    new CornerPlotOptions { Names = columns, Features = [0, 1, 2, 3] }));

// ## Scores
//
// The score of a row is −log p(row): the higher, the stranger. The threshold is what five of the hundred normal rows pass that the
// training has not seen.

double[] Scores(double[][] rows) => model.LogProb(rows).Select(p => -p).ToArray();

var scores = Scores(test);
var threshold = Scores(calibration).Order().ElementAt(95);
var found = scores.Where((s, row) => isAnomaly[row] && s > threshold).Count();
var alarms = scores.Where((s, row) => !isAnomaly[row] && s > threshold).Count();
var rest = test.Length - anomalies.Length;
display($"found: {found} of {anomalies.Length} anomalies, and {alarms} of {rest} normal rows");

display(new ScoreHistogram(
    scores.Where((_, row) => !isAnomaly[row]).ToArray(),
    scores.Where((_, row) => isAnomaly[row]).ToArray(),
    new ScoreHistogramOptions { Threshold = threshold }));

// ## Beside it: a Gaussian
//
// Its score is the squared Mahalanobis distance, (x − m)ᵀ C⁻¹ (x − m). To solve with C, the covariance is reduced to a triangle
// (Cholesky).

Func<double[], double> Gaussian(double[][] rows)
{
    var d = rows[0].Length;
    var mean = Enumerable.Range(0, d).Select(i => rows.Average(r => r[i])).ToArray();
    var triangle = new double[d, d];
    for (var i = 0; i < d; i++)
        for (var j = 0; j <= i; j++)
        {
            var sum = rows.Average(r => (r[i] - mean[i]) * (r[j] - mean[j]));
            for (var k = 0; k < j; k++) sum -= triangle[i, k] * triangle[j, k];
            triangle[i, j] = i == j ? Math.Sqrt(sum) : sum / triangle[j, j];
        }
    return row =>
    {
        var white = new double[d];
        for (var i = 0; i < d; i++)
        {
            var rest = row[i] - mean[i];
            for (var k = 0; k < i; k++) rest -= triangle[i, k] * white[k];
            white[i] = rest / triangle[i, i];
        }
        return white.Sum(w => w * w);
    };
}

// ## Beside it: an isolation forest
//
// A tree cuts the rows at random places of random columns until each is alone (Liu, Ting and Zhou, 2008). A row that is alone after
// few cuts is strange. The score is minus the mean depth over the trees, with what a branch that was not cut to its end would have
// had.

// what a branch of n rows has on average
double MeanDepth(int n) =>
    n < 2 ? 0 : n == 2 ? 1 : 2 * (Math.Log(n - 1) + 0.5772) - 2.0 * (n - 1) / n;

// a tree is a function: how deep does a row fall?
Func<double[], double> Grow(double[][] rows, int levels)
{
    if (levels == 0 || rows.Length < 2) return _ => MeanDepth(rows.Length);
    var column = random.Next(rows[0].Length);
    var (low, high) = (rows.Min(r => r[column]), rows.Max(r => r[column]));
    if (low == high) return _ => MeanDepth(rows.Length);
    var cut = low + (high - low) * random.NextDouble();
    var left = Grow(rows.Where(r => r[column] < cut).ToArray(), levels - 1);
    var right = Grow(rows.Where(r => r[column] >= cut).ToArray(), levels - 1);
    return row => 1 + (row[column] < cut ? left(row) : right(row));
}

Func<double[], double> Forest(double[][] rows, int trees)
{
    var all = Enumerable.Range(0, trees)
        .Select(_ => Grow(random.GetItems(rows, Math.Min(256, rows.Length)), levels: 8))
        .ToArray();
    return row => -all.Average(tree => tree(row));
}

// ## Who finds more
//
// A ROC curve shows, for every threshold, how many of the anomalies are found against how many normal rows are taken for one. The
// area under it is the chance that an anomaly scores higher than a normal row.

var gaussian = Gaussian(training);
var forest = Forest(training, trees: small ? 10 : 100);
display(new RocCurve(
    [
        ("flow", scores),
        ("Gaussian", test.Select(gaussian).ToArray()),
        ("isolation forest", test.Select(forest).ToArray()),
    ],
    isAnomaly));

// ## What is strange about a row?
//
// Put the median of a column in the place of its number, and see how much the score falls. For the strangest anomaly:

var medians = Enumerable.Range(0, 12)
    .Select(c => training.Select(r => r[c]).Order().ElementAt(training.Length / 2)).ToArray();
var strangest = anomalies.MaxBy(row => Scores([row])[0])!;
var usual = Enumerable.Range(0, 12)
    .Select(c => strangest.Select((v, i) => i == c ? medians[c] : v).ToArray()).ToArray();
var falls = Scores(usual).Select(s => Scores([strangest])[0] - s).ToArray();
display(string.Join("\n", Enumerable.Range(0, 12).OrderByDescending(c => falls[c]).Take(3)
    .Select(c => $"{columns[c]} = {strangest[c]:F2} (usual {medians[c]:F2}): {falls[c]:F1} nats")));

// No setting was chosen by looking at the anomalies. On another table another method may win: with few rows a Gaussian is hard to
// beat.
//
// Next: [a posterior and a conditional density](4-posterior.ipynb).

/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
static class Shown
{
    static int pictures;

    public static void display(object? value)
    {
        if (value is Picture picture)
        {
            var path = Path.Combine("out", "notebooks", $"3-anomalies-{++pictures}.png");
            picture.Save(path);
            Console.WriteLine($"wrote {path}");
        }
        else
            Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
    }
}
