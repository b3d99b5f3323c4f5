using System.Globalization;
using CsCheck;
using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Laws;

/// <summary>Layers and chains with random shapes, masks, options and inputs. A
/// failure prints the smallest case found, to paste into a test.</summary>
public class RandomLayerTests
{
    // a plain run draws the same cases each time; the slow one draws new ones in each run, and prints the seed of a failure
    private const ulong Seed = 20261124;

    public static TheoryData<string> Kinds => [.. LayerGenerator.Kinds.Keys];

    public static TheoryData<string> Quick => [.. LayerGenerator.Kinds.Keys.Where(k => LayerGenerator.Slow.GetValueOrDefault(k, 12u) > 0)];

    [Theory, MemberData(nameof(Quick))]
    public void A_random_layer_passes_FlowCheck(string kind) => SampleFixed(LayerGenerator.Layer(kind),
        LayerGenerator.Slow.GetValueOrDefault(kind, 12u));

    [Fact]
    public void A_random_chain_passes_FlowCheck() => SampleFixed(LayerGenerator.Chains, 20);

    [SlowTheory, MemberData(nameof(Kinds))]
    public void Many_random_layers_pass_FlowCheck(string kind) => Sample(LayerGenerator.Layer(kind),
        LayerGenerator.Slow.ContainsKey(kind) ? 12 : 100);

    [SlowFact]
    public void Many_random_chains_pass_FlowCheck() => Sample(LayerGenerator.AllChains, 300);

    [Fact]
    public void A_failure_prints_a_case_that_can_be_pasted_into_a_test()
    {
        // every chain fails here, so the smallest one is found
        var failing = () =>
            LayerGenerator.Chains.Sample(c => Assert.Fail("always"), iter: 200, threads: 1, print: c => Code(c.Shape, c.Layer, 1));
        failing.Should().Throw<CsCheckException>()
            .WithMessage(
            "*FlowCheck.Verify(() => new Chain(*), [*], new() { Seed = 1, Extreme = *, ParameterSpread = * }).ThrowIfFailed();*");
    }

    [SlowFact]
    public void What_is_printed_compiles()
    {
        using var project = new GeneratedProject();
        var lines = new List<string>();
        // all kinds, and some chains
        foreach (var kind in LayerGenerator.Kinds.Keys)
            LayerGenerator.Layer(kind).Sample(c => lines.Add(Code(c.Shape, c.Layer, 1)), iter: 8, threads: 1);
        LayerGenerator.Chains.Sample(c => lines.Add(Code(c.Shape, c.Layer, 1)), iter: 20, threads: 1);
        project.Write("Directory.Build.props", "<Project/>");
        project.Write("Cases.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
              <ItemGroup>
                <Reference Include="{Path.Combine(AppContext.BaseDirectory, "RealNvp.dll")}" />
                <Reference Include="{Path.Combine(AppContext.BaseDirectory, "TorchSharp.dll")}" />
              </ItemGroup>
            </Project>
            """);
        project.Write("Cases.cs", $$"""
            using RealNvp;
            using RealNvp.Checking;
            public static class Cases
            {
                public static void Run()
                {
                    {{string.Join("\n        ", lines)}}
                }
            }
            """);
        project.DotNet("build", "--nologo");
    }

    // the seed of CsCheck holds for the first case only, so each case has its own
    private static void SampleFixed(Gen<(EventShape Shape, GeneratedLayer Layer)> layers, uint count)
    {
        for (var stream = 0u; stream < count; stream++) Sample(layers, 1, new PCG(stream, Seed).ToString());
    }

    private static void Sample(Gen<(EventShape Shape, GeneratedLayer Layer)> layers, int count, string? seed = null) =>
        Gen.Select(layers, Gen.Long[1, 1000]).Sample(
            c => Verify(c.Item1.Shape, c.Item1.Layer, c.Item2), seed: seed, iter: count, threads: 1, print: c =>
                Code(c.Item1.Shape, c.Item1.Layer, c.Item2));

    private static void Verify(EventShape shape, GeneratedLayer layer, long seed) =>
        FlowCheck.Verify(layer.Make, shape, new() { Seed = seed, Extreme = layer.Extreme, ParameterSpread = layer.Spread }).ThrowIfFailed();

    private static string Code(EventShape shape, GeneratedLayer layer, long seed) =>
        $"FlowCheck.Verify(() => {layer.Code}, {LayerGenerator.Text(shape)}, new() {{ Seed = {seed}, Extreme = " +
            $"{layer.Extreme.ToString(CultureInfo.InvariantCulture)}, ParameterSpread = " +
            $"{layer.Spread.ToString(CultureInfo.InvariantCulture)} }}).ThrowIfFailed();";
}
