#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// The notebook 2-images.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/2-images.cs
// It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
// With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
// and the third has a version too.

using System.IO;
using System.IO.Compression;
using RealNvp;
using RealNvp.Plotting;
using static TorchSharp.torch;
using static Shown;

// # 2. Images: digits, samples, interpolations, bits per dimension
//
// A Real NVP for images works at several scales. Here it learns p(image | digit) of 1,797 handwritten digits of 8 × 8 pixels, which
// are in this repository. The training takes one or two minutes.

// tests run the notebook with small numbers
var small = Environment.GetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL") == "1";

// ## Data
//
// The files have the format of MNIST: some numbers about the size, then a byte for each pixel or label. A pixel is one of 17 levels,
// 0 to 16.

// a file of samples/data, which is in this folder or in one above it
string Data(string name)
{
    for (var folder = new DirectoryInfo("."); folder is not null; folder = folder.Parent)
        if (File.Exists(Path.Combine(folder.FullName, "samples", "data", name)))
            return Path.Combine(folder.FullName, "samples", "data", name);
    throw new FileNotFoundException($"samples/data/{name} is not here: run this in a clone.");
}

long[] Bytes(string name, int header)
{
    var content = new MemoryStream();
    using (var packed = new GZipStream(File.OpenRead(Data(name)), CompressionMode.Decompress))
        packed.CopyTo(content);
    return content.ToArray().Skip(header).Select(b => (long)b).ToArray();
}

var images = tensor(Bytes("digits/digits-1797x8x8-idx3-ubyte.gz", 16)).reshape(-1, 1, 8, 8);
var labels = tensor(Bytes("digits/digits-labels-idx1-ubyte.gz", 8));
var look = new ImageGridOptions { Levels = 17, Columns = 10 };
display(new ImageGrid(images[..40], look));

// The model is told the digit as ten numbers, of which one is 1: its *context*. The last 297 images are kept for the test.

var context = nn.functional.one_hot(labels, 10).to(float32);
var (train, trainContext) = (images[..(small ? 60 : 1500)], context[..(small ? 60 : 1500)]);
var (test, testContext, testLabels) = (images[1500..], context[1500..], labels[1500..]);
if (small) (test, testContext, testLabels) = (test[..20], testContext[..20], testLabels[..20]);

// ## Model
//
// `Digits8x8` is a preset for such images. It adds noise to the whole numbers (*dequantization*), so that they have a density, and
// rounds samples back. After each scale half of the numbers are put aside as latents.

var preset = RealNvpOptions.Digits8x8 with { ContextSize = 10 };
var flow = new RealNvpModel(small ? preset with { Hidden = 4, Blocks = 1 } : preset, seed: 1);
display(flow);

var options = TrainingOptions.For(flow.Options) with
{
    Epochs = small ? 1 : 24,
    LearningRate = 2e-3,
    Schedule = new CosineSchedule { WarmUpSteps = small ? 0 : 20 },
    Patience = 4,
    Seed = 1,
};
var result = new Trainer(flow, options).Fit(TrainingData.From(train, trainContext));
display(result);

// ## How good is it?
//
// *Bits per dimension* is what one pixel costs if the model is used to compress new images; without a model it is log₂ 17 = 4.09.
// The noise makes log p(x) a lower bound, so a pixel costs no more than this.

display(flow.Evaluate(test, testContext));

// A density of images given the digit also says which digit an image is: the one under which it is most likely. Nobody trained it
// for that.

var scores = Enumerable.Range(0, 10)
    .Select(c => flow.LogProb(test, eye(10)[c].expand(test.shape[0], 10), seed: 1))
    .ToArray();
var told = stack(scores, 1).argmax(1);
display($"{told.eq(testLabels).sum().item<long>()} of {test.shape[0]} test images told right");

// ## New images
//
// A row for each digit. A temperature below 1 stays closer to what is typical.

var drawn = flow.Sample(small ? 2 : 10, eye(10), temperature: 0.9, seed: 1).flatten(0, 1);
display(new ImageGrid(drawn, look with
{
    Columns = small ? 2 : 10,
    RowTitles = Enumerable.Range(0, 10).Select(d => $"{d}").ToList(),
}));

// ## What latents hold
//
// Encode ten images, forget the latents of the fine scale (0 is their mean), and decode. With all latents an image comes back
// exactly; with those of the coarse scale alone its shape stays and its details go.

var (x, digits) = (test[..10], testContext[..10]);
var z = flow.Encode(x, digits, seed: 1);
var parts = flow.SplitLatent(z);
parts[0] = zeros_like(parts[0]);
var (same, coarse) = (flow.Decode(z, digits), flow.Decode(flow.JoinLatent(parts), digits));
var titles = new[] { "data", "all latents", "coarse ones" };
display(new ImageGrid(cat(new[] { x.to(float32), same, coarse }), look with { RowTitles = titles }));

// ## Between images
//
// A straight way between latents stays among images. The corners are four test images, and the context goes from one digit to the
// other as well.

var path = flow.Interpolate(test[..4], steps: small ? 3 : 8, context: testContext[..4], seed: 1);
display(new ImageGrid(path.flatten(0, 1), look with { Columns = (int)path.shape[0] }));

// Next: [anomalies in a table](3-anomalies.ipynb).

/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
static class Shown
{
    static int pictures;

    public static void display(object? value)
    {
        if (value is Picture picture)
        {
            var path = Path.Combine("out", "notebooks", $"2-images-{++pictures}.png");
            picture.Save(path);
            Console.WriteLine($"wrote {path}");
        }
        else
            Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
    }
}
