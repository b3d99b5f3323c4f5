using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>Parts of a user's say what is printed of them by the same trait as the library's.</summary>
public class OwnDescriptionTests
{
    [Fact]
    public void Layers_without_a_shape_of_their_own_print_what_reaches_them_in_a_composite_of_ones_own()
    {
        using var flow = new Flow([4], new Chain(new Halves(new Shapeless(), new InvertedLayer(new Squeezed())), new SinhLayer(4)));
        flow.ToString().Should().Be("""
            Flow (4,), 4 parameters, float32 on cpu
              bijection: Chain (4,), 4 parameters
                0: Halves (4,)
                  left: Shapeless (2,)
                  right: InvertedLayer (2,) -> (1, 2)
                    bijection: Squeezed (1, 2) -> (2,)
                1: SinhLayer (4,), 4 parameters
              base_density: StandardNormal (4,)
            """.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void A_module_that_is_no_layer_says_its_words_shapes_context_and_parts()
    {
        using var trunk = new Trunk();
        using var network = new NetworkEncoder([3], 2, trunk);
        network.ToString().Should().Be("""
            NetworkEncoder (3,) -> (2,), 12 parameters
              network: Trunk (3,) -> (2,), context of 5, for pictures, 12 parameters
                first: Linear, in_features = 3, out_features = 3, 12 parameters
            """.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void A_layer_that_says_only_its_shapes_keeps_its_properties_and_what_throws_is_left_out()
    {
        using var layer = new Chain(new Counted(), new Angry());
        layer.ToString().Should().Be("""
            Chain
              0: Counted (7,), Times = 3
              1: Angry
            """.ReplaceLineEndings("\n"));
    }

    private abstract class Same(string name, EventShape? shape = null) : Bijection(name, shape)
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }

    private sealed class Shapeless() : Same(nameof(Shapeless));

    private sealed class Squeezed() : Same(nameof(Squeezed))
    {
        public override EventShape OutputShapeOf(EventShape input) => [input.NumElements];

        public override EventShape InputShapeOf(EventShape output) => [1, output.NumElements];

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.flatten(1), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.unsqueeze(1), null);
    }

    private sealed class Halves : Composite
    {
        private readonly Bijection left, right;

        public Halves(Bijection left, Bijection right) : base(nameof(Halves), [4])
        {
            (this.left, this.right) = (left, right);
            RegisterComponents();
        }

        public override IReadOnlyList<CompositeStep> Steps =>
        [
            CompositeStep.Split(1, [2, 2]), CompositeStep.Apply(left, 0), CompositeStep.Apply(right, 1),
            CompositeStep.Rearrange(p => [cat([p[0], p[1].flatten(1)], 1)], p => [p[0].narrow(1, 0, 2), p[0].narrow(1, 2, 2).unsqueeze(1)]),
        ];
    }

    private sealed class Counted() : Same(nameof(Counted)), IDescribed
    {
        public int Times { get; } = 3;

        (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given) => ([7], [7]);
    }

    private sealed class Angry() : Same(nameof(Angry)), IDescribed
    {
        string? IDescribed.Description => throw new InvalidOperationException("no words");

        (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given) => throw new InvalidOperationException("no shapes");

        IEnumerable<(nn.Module Part, EventShape Input)> IDescribed.PartShapesFor(EventShape? given) =>
            throw new InvalidOperationException("no parts");

        bool IDescribed.ShowsParts => throw new InvalidOperationException("no lines");
    }

    private sealed class Trunk : nn.Module<Tensor, Tensor>, IDescribed
    {
        private readonly TorchSharp.Modules.Linear first;

        public Trunk() : base(nameof(Trunk))
        {
            first = nn.Linear(3, 3);
            RegisterComponents();
        }

        public string? Description => "for pictures";

        public long ContextSize => 5;

        public bool ShowsParts => true;

        public (EventShape? Input, EventShape? Output) ShapesFor(EventShape? given) => ([3], [2]);

        public override Tensor forward(Tensor input) => first.call(input).narrow(1, 0, 2);
    }
}
