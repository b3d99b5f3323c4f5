using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

/// <summary>On a GPU, fetching a number from a tensor waits until all work
/// before it is done. Where the library does so is written here.</summary>
public partial class HostDeviceTests
{
    // file: why it fetches a number, and when
    private static readonly Dictionary<string, string> allowed = new()
    {
        ["Bijections/Linear/PeriodicConv2d.cs"] = "the inverse refuses a matrix that is nearly singular",
        ["Conditioners/OrderCheck.cs"] = "a network of a user's is tried when the layer is built",
        ["Shapes/Mask.cs"] = "a mask is made from a tensor once",
        ["Bijections/Normalization/ActNorm.cs"] = "asks once whether it is initialized, then remembers",
        ["Bijections/Preprocessing/Standardization.cs"] = "Fit looks for constant features, once",
        ["Bijections/Preprocessing/UniformDequantization.cs"] = "checks the range of data, in LogProb and before training",
        ["Bijections/LowRank/TanhEquation.cs"] = "a root is searched until it is found",
        ["Bijections/Continuous/DynamicsCheck.cs"] = "a try of dynamics when a layer is built",
        ["Bijections/Residual/FixedPoint.cs"] = "a root is searched until it is found",
        ["Bijections/Residual/ImplicitFunction.cs"] = "the gradient of an inverse is searched until it is found",
        ["Bijections/Residual/SeriesLogDet.cs"] = "the number of terms is drawn on the CPU",
        ["Operations/Dynamics/DynamicsReference.cs"] = "gradients of gradients of a solve on the CPU: each example has its own steps",
        ["Operations/Residual/PowerIteration.cs"] =
            "on the CPU, power iteration goes on until it has arrived; on a device it takes a fixed number of steps",
        ["Operations/Elementwise/Mixture/MixtureMap.cs"] = "a root is searched until it is found",
        ["Operations/Elementwise/Mixture/MixtureReference.cs"] = "a root is searched until it is found",
        ["Ode/OdePairWalk.cs"] = "asks after each backward pass how far it has drifted",
        ["Ode/OdeTape.cs"] = "on the CPU, only the examples that took a step are written down",
        ["Ode/OdeLoop.cs"] = "asks now and then which examples are done, and leaves them out",
        ["Bijections/LowRank/RadialLayer.Onnx.cs"] = "an export writes numbers to a file",
        ["Bijections/LowRank/SylvesterLayer.Onnx.cs"] = "an export writes numbers to a file",
        ["Densities/StudentT.cs"] = "its distribution function, which diagnostics ask for, is computed on the host",
        ["Densities/ResampledNormal.cs"] = "the normalizer is estimated when it is asked for",
    };

    [Fact]
    public void Layers_networks_and_densities_fetch_no_number_but_for_a_known_reason()
    {
        var source = Path.Combine(Repository.Root, "src", "RealNvp");
        var found = new[] { "Bijections", "Transformers", "Conditioners", "Densities", "Operations", "Ode", "Shapes", "Reversible" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(source, folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => Fetch().IsMatch(File.ReadAllText(file)))
            .Select(Path.GetFileName);
        found.Should().BeEquivalentTo(allowed.Keys.Select(Path.GetFileName));
    }

    // the memory of the CPU, and what is not the library's
    private static readonly string[] direct =
    [
        "Internal/HostFetch.cs", "Internal/RandomState.cs", "Serialization/GeneratorState.cs",
        // a network of a user's is tried when the layer is built
        "Conditioners/OrderCheck.cs",
        "Shapes/Mask.cs", "Serialization/SafeTensorsData.cs", "Training/AverageSlot.cs",
        // what processes tell each other goes through the memory of the CPU
        "Training/Exchange/Ranks.cs", "Training/Trainer.Exchange.cs",
        // an export writes numbers to a file
        "Onnx/OnnxGraph.cs", "Onnx/OnnxMove.cs",
        // weights of other libraries are read from a file
        "PyTorch/ImportedWeights.cs",
        // reversible training asks after each step how far it has drifted
        "Reversible/ReversibleRun.cs", "Reversible/ReverseWalk.cs",
    ];

    [Fact]
    public void All_other_numbers_are_fetched_through_one_place()
    {
        var source = Path.Combine(Repository.Root, "src", "RealNvp");
        var found = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => Direct().IsMatch(File.ReadAllText(file)))
            .Select(file => Path.GetRelativePath(source, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith("bin/", StringComparison.Ordinal) && !file.StartsWith("obj/", StringComparison.Ordinal));
        found.Should().BeEquivalentTo(direct);
    }

    // what waits inside of libtorch: the size of the result depends on the values,
    // or the values are checked; and a copy from memory that is not pinned
    private static readonly Dictionary<string, string> inside = new()
    {
        ["Check.cs"] = "names the rows of an error",
        ["Diagnosis.cs"] = "names the rows of an error",
        ["Flow.Finite.cs"] = "names the rows of an error",
        ["FixedPoint.cs"] = "a search, whose examples leave the batch when they have arrived",
        ["RidgeSolve.cs"] = "a step of such a search",
        ["DynamicsReference.cs"] = "steps of examples on the CPU, each as many as it took",
        ["MissingValues.cs"] = "names the cells of an error",
        ["ShardedTensors.cs"] = "parts the examples of a training once, where they lie",
        ["Whitening.cs"] = "Fit of a detector takes the axes of the covariance, once",
        ["LogWeights.cs"] = "names the row of an error",
        ["Standardizing.cs"] = "Fit looks for constant features, once",
        ["ImportanceSampling.cs"] = "draws once from weights that are on the host",
        ["Flow.Evaluation.cs"] = "the round trip of a few rows, on request",
        ["Derivatives.cs"] = "FlowCheck compares Jacobians",
        ["NumberTally.cs"] = "statistics of the numbers that are finite, on request",
        ["ResampledNormal.cs"] = "tries again for the samples that were rejected",
        ["InvertibleLinearLayer.cs"] =
            "starts from a rotation, which is factored on the CPU; the inverse of the plain form refuses a singular matrix",
        ["PeriodicConv2d.cs"] = "the inverse refuses a matrix that is nearly singular",
        ["ScaledLinear.Reference.cs"] = "compares with the kernel on the CPU",
        ["OrderCheck.cs"] = "a network of a user's is tried when the layer is built",
        ["ExampleWeights.cs"] = "weights of examples are looked at before training, and those of a data loader with each batch",
        ["MatchedPairs.cs"] = "flow matching solves an assignment on the host for each batch",
        ["FlatPaths.cs"] = "the circles of flow matching are a few numbers",
        ["SpherePaths.cs"] = "paths on a sphere with a spread are turned by exponentials of small matrices",
        ["NflowsLayers.cs"] = "puts the entries of a triangle in their places, on the CPU, when a flow is imported",
        ["OdeTape.cs"] = "on the CPU, only the examples that took a step are written down",
        ["ReversibleRun.cs"] = "compares the states of the CPU's generators",
    };

    [Fact]
    public void What_waits_inside_of_libtorch_is_there_for_a_known_reason()
    {
        var source = Path.Combine(Repository.Root, "src", "RealNvp");
        var found = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => !Path.GetRelativePath(source, file).StartsWith("obj", StringComparison.Ordinal))
            .Where(file => File.ReadLines(file).Any(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal)
                && Inside().IsMatch(line)))
            .Select(Path.GetFileName);
        found.Should().BeEquivalentTo(inside.Keys);
    }

    [Theory]
    [InlineData("open.masked_select(rejected)"), InlineData("x[x.gt(zero)]"), InlineData("a.equal(b)"), InlineData("linalg.inv(weight)"),
        InlineData("linalg.lu(a)"), InlineData("linalg.cholesky(a)"), InlineData("linalg.solve(a, b)")]
    [InlineData("mask.nonzero()"), InlineData("x.unique()"), InlineData("tensor(rows, device: x.device)"),
        InlineData("TensorIndex.Tensor(mask)"), InlineData("p.multinomial(3)"), InlineData("x.allclose(y)"), InlineData("x.bincount()")]
    public void Each_of_these_is_found(string line) => Inside().IsMatch(line).Should().BeTrue();

    [Theory]
    [InlineData("tensor(keptAt, device: CPU)"), InlineData("linalg.slogdet(blocks)"),
        InlineData("linalg.solve_triangular(a, b, upper: true)"), InlineData("linalg.lu_solve(a, b, c)"),
        InlineData("x.index_select(0, rows)"), InlineData("values[0]")]
    public void None_of_these_is_found(string line) => Inside().IsMatch(line).Should().BeFalse();

    [GeneratedRegex(
        @"masked_select|\.equal\(|\.allclose\(|linalg\.(inv|lu|qr|svd|eigh?|cholesky|solve|lu_factor|matrix_exp|pinv|lstsq)\(" +
        @"|\.(inverse|cholesky|unique|unique_consecutive|bincount|multinomial|nonzero|argwhere|isin)\(" +
        @"|TensorIndex\.Tensor|\[[a-z][A-Za-z]*\.(gt|lt|ge|le|eq|ne|isnan|isfinite|logical_[a-z]+)\(|\btensor\([^;]*device: (?!CPU)")]
    private static partial Regex Inside();

    [GeneratedRegex(@"\.Fetch|\.nonzero\(|\.data<|\.bytes\b")]
    private static partial Regex Fetch();

    [GeneratedRegex(@"\.item<|\.ToScalar\(|\.ToSingle\(|\.ToBoolean\(|\.cpu\(\)|\.data<|\.bytes\b(?!<)")]
    private static partial Regex Direct();
}
