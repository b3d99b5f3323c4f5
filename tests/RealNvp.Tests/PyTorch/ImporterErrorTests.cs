using RealNvp.Tests.Golden;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>What a user meets who has another file than the importer expects.</summary>
[LeavesNoTensors]
public sealed class ImporterErrorTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_tensor_that_is_left_over_is_refused_by_name_or_reported()
    {
        using var scope = NewDisposeScope();
        var weights = Weights("nflows_maf_residual");
        weights["_embedding_net.0.weight"] = zeros(2, 2);
        weights["head.bias"] = zeros(2);
        Refused(new NflowsImporter(), weights,
            "*2 tensor(s) belong to no part of the flow: _embedding_net.0.weight, head.bias*Strict = false*");
        using var imported = new NflowsImporter { Strict = false }.FromStateDict(weights);
        imported.Report.LeftOver.Should().Equal("_embedding_net.0.weight", "head.bias");
        imported.Report.ToString().Should().Contain("2 left over").And.Contain("head.bias");
    }

    [Fact]
    public void A_tensor_that_lacks_is_named()
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "nflows_sbi_nsf", "zuko_realnvp", "normflows_realnvp" })
        {
            var weights = Weights(name);
            foreach (var key in weights.Keys.Where(k => k.EndsWith("weight", StringComparison.Ordinal)).ToArray())
            {
                var less = new Dictionary<string, Tensor>(weights);
                less.Remove(key);
                var load = () => Load(name, less);
                load.Should().Throw<InvalidDataException>("{0} lacks", key).Which.Message.Should().Contain("The state dict");
            }
        }
        var maf = Weights("nflows_maf_residual");
        maf.Remove("_transform._transforms.1.autoregressive_net.final_layer.mask");
        Refused(new NflowsImporter(), maf, "*no '_transform._transforms.1.autoregressive_net.final_layer.mask'; it has *final_layer.bias*");
    }

    [Fact]
    public void A_tensor_of_another_shape_is_refused()
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "nflows_maf_context", "zuko_nice_elu", "normflows_blocks" })
        {
            var weights = Weights(name);
            foreach (var key in weights.Keys.Where(k => weights[k].numel() > 1))
            {
                var other = new Dictionary<string, Tensor>(weights) { [key] = zeros([7, 5, 3], weights[key].dtype) };
                var load = () => Load(name, other);
                // a number of batches or degrees says nothing
                if (key.EndsWith("degrees", StringComparison.Ordinal) || key.EndsWith("inv_perm", StringComparison.Ordinal)) continue;
                load.Should().Throw<InvalidDataException>("{0} of {1} has another shape", key, name);
            }
        }
    }

    [Fact]
    public void A_mask_or_an_order_that_does_not_fit_is_refused()
    {
        using var scope = NewDisposeScope();
        var weights = Weights("nflows_maf_residual");
        var mask = "_transform._transforms.1.autoregressive_net.final_layer.mask";
        weights[mask] = ones_like(weights[mask]);
        Refused(new NflowsImporter(), weights, "*depend*");
        weights[mask] = weights[mask].mul(2);
        Refused(new NflowsImporter(), weights, "*numbers other than 0 and 1*");

        var permuted = Weights("nflows_maf_residual");
        permuted["_transform._transforms.2._permutation"] = tensor(new long[] { 0, 0, 1, 2 });
        Refused(new NflowsImporter(), permuted, "*");

        var zuko = Weights("zuko_maf");
        zuko["transform.transforms.0.order"] = tensor(new long[] { 3, 2, 1, 0 });
        Refused(new ZukoImporter(), zuko, "*'transform.transforms.0.order' does not agree with the masks*");

        var coupling = Weights("nflows_sbi_nsf");
        coupling["_transform._transforms.1._transforms.0._transforms.0.identity_features"] = tensor(new long[] { 1, 1 });
        Refused(new NflowsImporter(), coupling, "*do not part*features*");
    }

    [Fact]
    public void A_flow_of_another_library_is_refused_with_what_was_looked_for()
    {
        using var scope = NewDisposeScope();
        Refused(new NflowsImporter(), Weights("normflows_realnvp"),
            "*no name has '_transform.', with which those of nflows begin; it has *");
        Refused(new ZukoImporter(), Weights("normflows_realnvp"), "*'transform.transforms.'*");
        Refused(new NormflowsImporter(), Weights("zuko_maf"), "*'flows.'*");
        var glow = () => new GlowImporter { ImageSize = (8, 8) }.FromStateDict(Weights("zuko_maf"));
        glow.Should().Throw<InvalidDataException>().WithMessage("*'blocks.0.flows.0.'*");
        var real = () => new RealNvpImporter { ImageSize = (8, 8) }.FromStateDict(Weights("zuko_maf"));
        real.Should().Throw<InvalidDataException>().WithMessage("*'flows.in_couplings.0.'*");
    }

    [Fact]
    public void What_an_importer_does_not_know_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        var circular = Weights("zuko_maf");
        circular["base.lower"] = zeros(4);
        Refused(new ZukoImporter(), circular, "*'base.lower' is of NCSF, whose splines are circular*");
        Refused(new NormflowsImporter(), Weights("normflows_blocks"), "*no 'flows.3' of 'flows.4'*SwapsAtGaps = true*");
        Refused(new NflowsImporter { Transform = NflowsTransform.Affine }, Weights("nflows_sbi_nsf"),
            "*gives 11 numbers for each feature*");
        var gap = Weights("nflows_maf_residual").ToDictionary(w => w.Key.Replace("_transforms.0.", "_transforms.9.",
            StringComparison.Ordinal),
            w => w.Value);
        Refused(new NflowsImporter(), gap, "*no '_transform._transforms.0': a transform without weights*");
    }

    [Fact]
    public void Prefixes_are_found_or_told()
    {
        using var scope = NewDisposeScope();
        var weights = Weights("zuko_maf");
        foreach (var prefix in new[] { "module.", "net.", "module.net.", "model.flow." })
        {
            using var imported = new ZukoImporter().FromStateDict(weights.ToDictionary(w => prefix + w.Key, w => w.Value));
            imported.Report.Prefix.Should().Be(prefix);
            imported.Report.Matched[0].Should().StartWith(prefix);
        }
        var two = weights.ToDictionary(w => "a." + w.Key, w => w.Value).Concat(weights.ToDictionary(w => "b." + w.Key, w => w.Value))
            .ToDictionary(w => w.Key, w => w.Value);
        Refused(new ZukoImporter(), two, "*it has flows at a., b.. Say which by Prefix*");
        using var second = new ZukoImporter { Prefix = "b.", Strict = false }.FromStateDict(two);
        second.Report.LeftOver.Should().HaveCount(weights.Count);
        Refused(new ZukoImporter { Prefix = "c." }, two, "*no name begins with 'c.'*");
    }

    [Fact]
    public void Precisions_are_kept_or_converted_with_a_note()
    {
        using var scope = NewDisposeScope();
        using var file = PyTorchFile.Load(PyTorchFileTests.At("zuko_maf.pt"));
        foreach (var (type, expected) in new[] { (float64, float64), (float32, float32), (float16, float32), (bfloat16, float32) })
        {
            var weights = Weights("zuko_maf").ToDictionary(w => w.Key, w => w.Value.is_floating_point() ? w.Value.to(type) : w.Value);
            using var imported = new ZukoImporter().FromStateDict(weights);
            imported.Flow.parameters().Should().AllSatisfy(p => p.dtype.Should().Be(expected));
            imported.Report.Conversions.Any(c => c.Contains($"{type} became Float32", StringComparison.Ordinal)).Should()
                .Be(type is ScalarType.Float16 or ScalarType.BFloat16);
            var gap = imported.Flow.LogProb(file["x"].to(expected)).to(float64).sub(file["log_prob"]).abs().max().item<double>();
            gap.Should().BeLessThan(type switch { ScalarType.Float64 => 1e-11, ScalarType.Float32 => 1e-4, _ => 0.5 });
        }
    }

    [Fact]
    public void A_checkpoint_with_several_state_dicts_asks_which()
    {
        var load = () => new NflowsImporter().Load(PyTorchFileTests.At("values.pt"));
        load.Should().Throw<InvalidDataException>().WithMessage("*'_transform.'*");
        var named = () => new NflowsImporter { StateDict = "flow" }.Load(PyTorchFileTests.At("checkpoint.pt"));
        named.Should().Throw<InvalidDataException>().WithMessage("*no state dict 'flow'; it has model, optimizer, epoch*");
        var other = () => new NflowsImporter { StateDict = "epoch" }.Load(PyTorchFileTests.At("checkpoint.pt"));
        other.Should().Throw<InvalidDataException>().WithMessage("*no state dict 'epoch'*");
    }

    [Fact]
    public void A_file_of_safetensors_is_read_by_its_first_bytes()
    {
        using var scope = NewDisposeScope();
        using var file = PyTorchFile.Load(PyTorchFileTests.At("zuko_maf.pt"));
        SafeTensors.Save(folder.At("flow.pt"), Weights("zuko_maf"));
        using var imported = new ZukoImporter().Load(folder.At("flow.pt"));
        ImporterTests.Close(imported.Flow.LogProb(file["x"]), file["log_prob"], 1e-11);
        imported.Report.Source.Should().Contain("flow.pt");
    }

    [Fact]
    public void Wrong_arguments_are_refused_before_any_work()
    {
        var weights = new Dictionary<string, Tensor>();
        foreach (Action wrong in new Action[]
        {
            () => new NflowsImporter { TailBound = 0 }.FromStateDict(weights), () =>
                new NflowsImporter { TailBound = double.NaN }.FromStateDict(
                weights),
            () => new NormflowsImporter { FlowCount = 0 }.FromStateDict(weights),
            () => new NormflowsImporter { TailBound = -1 }.FromStateDict(weights),
            () => new NflowsImporter { Activation = (PyTorchActivation)99 }.FromStateDict(weights),
            () => new NflowsImporter { MinDerivative = 2 }.FromStateDict(weights),
            () => new ZukoImporter { Slope = 1 }.FromStateDict(weights), () => new ZukoImporter { Bound = -1 }.FromStateDict(weights),
            () => new GlowImporter { ImageSize = (0, 8) }.FromStateDict(weights),
            () => new RealNvpImporter { ImageSize = (1 << 20, 1 << 20) }.FromStateDict(weights),
            () => new ZukoImporter().FromStateDict(null!), () =>
                new ZukoImporter().FromStateDict(new Dictionary<string, Tensor> { ["a"] = null! }),
            () => new ZukoImporter().Load(""), () => new ZukoImporter().Load((PyTorchFile)null!),
        }) wrong.Should().Throw<ArgumentException>();
        Refused(new ZukoImporter(), weights, "*");
        new ZukoImporter { Bound = 3.5 }.ToString().Should().Contain("Bound = 3.5");
    }

    [Fact]
    public void Images_of_another_size_than_the_scales_allow_are_refused()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("glow_full_3x8x8");
        var weights = golden.Keys.Where(k => k.StartsWith("weights/", StringComparison.Ordinal)).ToDictionary(k => k["weights/".Length..],
            k => golden[k]);
        var load = () => new GlowImporter { ImageSize = (6, 8) }.FromStateDict(weights);
        load.Should().Throw<InvalidDataException>().WithMessage("*divisible*");
        weights["blocks.0.flows.1.actnorm.scale"] = weights["blocks.0.flows.1.actnorm.scale"].neg();
        var negative = () => new GlowImporter { ImageSize = (8, 8) }.FromStateDict(weights);
        negative.Should().Throw<InvalidDataException>().WithMessage("*'blocks.0.flows.1.actnorm.scale' has a number that is not positive*");
    }

    private static void Refused(PyTorchImporter<ImportedModel> importer, Dictionary<string, Tensor> weights, string message)
    {
        var load = () => importer.FromStateDict(weights);
        load.Should().Throw<InvalidDataException>().WithMessage(message).Which.Message.Length.Should().BeLessThan(1500);
    }

    private static void Load(string name, Dictionary<string, Tensor> weights)
    {
        PyTorchImporter<ImportedModel> importer = name.Split('_')[0] switch
        {
            "nflows" => new NflowsImporter { TailBound = 3, Activation = name == "nflows_tanh" ? PyTorchActivation.Tanh : default },
            "zuko" => new ZukoImporter(),
            _ => new NormflowsImporter { SwapsAtGaps = true, FlowCount = 6 },
        };
        using var imported = importer.FromStateDict(weights);
    }

    private static Dictionary<string, Tensor> Weights(string name)
    {
        using var file = PyTorchFile.Load(PyTorchFileTests.At($"{name}.pt"));
        return file.Tensors.Where(t => t.Key.StartsWith("model.", StringComparison.Ordinal)).ToDictionary(t => t.Key["model.".Length..],
            t => t.Value.clone());
    }
}
