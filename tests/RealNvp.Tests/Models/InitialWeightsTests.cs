using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

public class InitialWeightsTests
{
    public static TheoryData<string> Presets => PresetTable.Names;

    public static TheoryData<string> OneOfEach => PresetTable.OneOfEach;

    [Theory, MemberData(nameof(OneOfEach))]
    public void A_seed_gives_the_same_weights_on_threads_that_build_at_once_and_leaves_torchs_generator_alone(string name) =>
        BuildAtOnce(name);

    [SlowTheory, MemberData(nameof(Presets))]
    public void A_seed_gives_the_same_weights_of_every_preset_on_threads_that_build_at_once(string name) => BuildAtOnce(name);

    private static void BuildAtOnce(string name)
    {
        using var scope = NewDisposeScope();
        manual_seed(77);
        var before = get_rng_state();
        var made = new FlowModel[3];
        made[0] = Seeded(name, 5);
        using (var start = new Barrier(2))
        {
            var threads = Enumerable.Range(1, 2).Select(i => new Thread(() =>
            {
                start.SignalAndWait();
                // another seed before it, so that a shared generator would show
                if (i == 1) Seeded(name, 6).Dispose();
                made[i] = Seeded(name, 5);
            })).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
        }
        get_rng_state().equal(before).all().item<bool>().Should().BeTrue("the user's random state is the user's");
        for (var i = 1; i < made.Length; i++) Equal(made[0], made[i]);
        foreach (var model in made) model.Dispose();
    }

    [Theory, MemberData(nameof(OneOfEach)), LeavesNoTensors]
    public void Seeded_weights_are_those_of_torchs_generator_with_that_seed(string name)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        using var unseeded = PresetTable.All[name].NewModel();
        using var seeded = Seeded(name, 5);
        Equal(unseeded, seeded);
    }

    [Fact, LeavesNoTensors]
    public void A_linear_layer_starts_as_that_of_torch()
    {
        using var scope = NewDisposeScope();
        foreach (var (inputs, outputs, bias) in new[] { (7L, 11L, true), (64, 64, true), (3, 5, false), (1000, 2, true) })
        {
            manual_seed(3);
            using var theirs = nn.Linear(inputs, outputs, bias);
            manual_seed(3);
            using var ours = Weights.Linear(inputs, outputs, bias);
            Equal(theirs, ours);
        }
    }

    [Fact, LeavesNoTensors]
    public void Loading_leaves_torchs_generator_alone()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "model.safetensors");
        using (var model = new SplineFlowModel(SplineFlowOptions.Toy2D with { Hidden = 8 }, 1)) model.Save(path);
        var before = get_rng_state();
        FlowModel.Load(path).Dispose();
        get_rng_state().equal(before).all().item<bool>().Should().BeTrue();
    }

    private static FlowModel Seeded(string name, long seed) => PresetTable.All[name] switch
    {
        RealNvpOptions o => new RealNvpModel(o, seed),
        NiceOptions o => new NiceModel(o, seed),
        FfjordOptions o => new FfjordModel(o, seed),
        ResidualFlowOptions o => new ResidualFlowModel(o, seed),
        SplineFlowOptions o => new SplineFlowModel(o, seed),
        MafOptions o => new MafModel(o, seed),
        IafOptions o => new IafModel(o, seed),
        GlowOptions o => new GlowModel(o, seed),
        var o => throw new InvalidOperationException($"no model for {o.GetType().Name}"),
    };

    private static void Equal(nn.Module expected, nn.Module found)
    {
        var state = found.state_dict();
        foreach (var (key, value) in expected.state_dict())
            value.equal(state[key]).all().item<bool>().Should().BeTrue("{0} has the same numbers", key);
        state.Count.Should().Be(expected.state_dict().Count);
    }
}
