using RealNvp.Tests.Densities;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>Whoever reads a disposed layer or density, alone or as a part of another,
/// is told so: not "empty handle", and never numbers of a layer that is gone.</summary>
public class DisposedLaws
{
    public static TheoryData<string> Layers => [.. LayerTable.All.Select(row => row.Name)];

    public static TheoryData<string> Densities => DensityTable.Names;

    [Theory, MemberData(nameof(Layers)), LeavesNoTensors]
    public void A_disposed_layer_says_so_alone_and_inside_of_others(string name)
    {
        var row = LayerTable.All.Single(r => r.Name == name);
        using var scope = NewDisposeScope();
        long size;
        EventShape latents;
        bool circular;
        using (var living = row.Make())
            (size, latents, circular) = (living.ContextSize, living.OutputShapeOf(row.Shape), living.CircularFeatures.Count > 0);
        var context = size > 0 ? zeros(2, size) : null;
        var (x, z) = (zeros(row.Shape.WithBatch(2)), zeros(latents.WithBatch(2)));
        Bijection Gone()
        {
            var layer = row.Make();
            layer.Dispose();
            return layer;
        }
        Told(() => Gone().Forward(x, context));
        Told(() => Gone().Inverse(z, context));
        Told(() => { using var flow = new Flow(row.Shape, Gone()); });
        Told(() => { using var gone = new Chain(Gone()); gone.Forward(x, context); });
        Told(() => { using var gone = new Chain(Gone()); gone.Inverse(z, context); });
        Told(() => { using var inverted = new InvertedLayer(Gone()); inverted.Forward(z, context); });

        // a part goes while the whole lives
        using var part = row.Make();
        using var chain = new Chain(part);
        // circles want a density on circles
        using var whole = circular ? null : new Flow(row.Shape, chain);
        part.Dispose();
        Told(() => chain.Forward(x, context));
        if (whole is null) return;
        Told(() => whole.LogProb(x, context));
        Told(() => whole.NegativeLogLikelihood(x, context));
    }

    [Theory, MemberData(nameof(Densities)), LeavesNoTensors]
    public void A_disposed_density_says_so_alone_and_in_a_flow(string name)
    {
        using var scope = NewDisposeScope();
        long size;
        using (var living = DensityTable.Find(name).Make()) size = living.ContextSize;
        var context = size > 0 ? zeros(3, size) : null;
        var z = zeros(3, 2);
        Density Gone()
        {
            var density = DensityTable.Find(name).Make();
            density.Dispose();
            return density;
        }
        Told(() => Gone().LogProb(z, context));
        Told(() => Gone().Sample(3, 1, float32, CPU, null, context));
        using var layer = new Permutation([2], [1, 0]);
        Told(() => { using var flow = new Flow([2], layer, Gone()); });

        using var part = DensityTable.Find(name).Make();
        using var whole = new Flow([2], layer, part);
        part.Dispose();
        Told(() => whole.LogProb(z, context));
        Told(() => whole.Sample(3, context?[..1]));
    }

    private static void Told(Action action) => action.Should().Throw<ObjectDisposedException>();
}
