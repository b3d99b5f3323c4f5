using System.Text.RegularExpressions;
using RealNvp.Layers;
using RealNvp.Scoring;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scorers;

/// <summary>What the guide says of each part, and what the package without libtorch does.</summary>
[LeavesNoTensors]
public sealed partial class ScorerTableTests
{
    private static readonly Type[] families = [typeof(Bijection), typeof(Density), typeof(ScalarTransformer), typeof(Conditioner),
        typeof(ContextEncoder)];

    public static TheoryData<string> Rows => [.. LayerTable.All.Where(row => row.Shape.Count == 1).Select(row => row.Name)];

    [Fact]
    public void The_guide_says_yes_of_the_parts_of_models_that_are_computed_and_no_of_all_others()
    {
        HashSet<string> computed = [];
        foreach (var name in ScorerModels.Names)
        {
            using var model = ScorerModels.Create(name);
            computed.UnionWith(PartsOf(model));
        }
        var all = typeof(Flow).Assembly.GetExportedTypes().Where(t => !t.IsAbstract && families.Any(f => f.IsAssignableFrom(t)))
            .Select(t => t.Name).ToHashSet();
        var (yes, no) = Guide();
        yes.Intersect(all).Should().BeEquivalentTo(computed);
        no.Intersect(all).Should().BeEquivalentTo(all.Except(computed));
    }

    // a file says what it holds by the options of a model, so a layer by itself has no file that could be computed
    [Theory, MemberData(nameof(Rows))]
    public void A_layer_of_the_table_in_a_flow_of_its_own_is_refused_with_what_to_save_and_its_parts_are_in_the_guide(string name)
    {
        var row = LayerTable.Find(name);
        // each circle has edges of its own, which a density must have too: its place does not matter here
        var layer = row.Make();
        using var flow = new Flow(row.Shape, layer, new Anywhere(row.Shape, [.. CirclePath.Through(layer).Select(c => c.Circle)]));
        using var stream = new MemoryStream();
        flow.SaveWeights(stream);
        stream.Position = 0;
        var load = () => FlowScorer.Load(stream);
        load.Should().Throw<InvalidDataException>().WithMessage("*without the options of a model*Save a FlowModel*");
        var (yes, no) = Guide();
        PartsOf(flow).Where(part => yes.Contains(part) == no.Contains(part)).Should().BeEmpty();
    }

    [Fact]
    public void A_flow_of_another_library_is_refused_by_its_name()
    {
        using var imported = new ZukoImporter().Load(PyTorch.PyTorchFileTests.At("zuko_maf.pt"));
        var load = () => ScorerModels.Load(imported.Flow);
        load.Should().Throw<NotSupportedException>().WithMessage("*an ImportedModel*another library*Export the flow to ONNX*");
    }

    private static IEnumerable<string> PartsOf(Flow flow) => flow.modules().Select(m => m.GetType())
        .Where(t => t.IsPublic && t.Assembly == typeof(Flow).Assembly && families.Any(f => f.IsAssignableFrom(t))).Select(t => t.Name)
        .Distinct();

    private static (HashSet<string> Yes, HashSet<string> No) Guide()
    {
        HashSet<string> yes = [], no = [];
        var page = File.ReadAllText(Repository.At("docs", "scoring-without-libtorch.md")).ReplaceLineEndings("\n");
        foreach (Match row in Row().Matches(page))
            (row.Groups[2].Value.StartsWith("yes", StringComparison.Ordinal) ? yes : no)
                .UnionWith(Name().Matches(row.Groups[1].Value).Select(m => m.Groups[1].Value));
        return (yes, no);
    }

    private sealed class Anywhere : Density
    {
        public Anywhere(EventShape shape, IReadOnlyList<Circle> circles) : base(nameof(Anywhere), shape)
        {
            CircularFeatures = circles;
            RegisterComponents();
        }

        public override IReadOnlyList<Circle> CircularFeatures { get; }

        protected override Tensor LogProbCore(Tensor z, Tensor? context) => z.sum(1);

        protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
            Tensor? context) => zeros(count, Shape.NumElements, dtype: dtype);
    }

    [GeneratedRegex(@"^\| (`.*`[^|]*) \| (yes[^|]*|no) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([A-Za-z0-9]+)`")]
    private static partial Regex Name();
}
