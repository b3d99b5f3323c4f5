using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Files as people have them: checkpoints of trainers, averages, other precisions, and what is no checkpoint at all.</summary>
[LeavesNoTensors]
public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string, string?> Wrappers => new()
    {
        { "plain", null }, { "state_dict", null }, { "model beside an optimizer", null }, { "an average of weights", null },
        { "callbacks, deep", null }, { "two", "model" }, { "two, deep", "ema.model" }, { "a key with dots", "ema.model" },
    };

    [Theory, MemberData(nameof(Wrappers))]
    public void A_state_dict_is_found_in_what_trainers_save(string kind, string? key)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (weights, other) = (Weights("module."), Weights("").ToDictionary(w => w.Key, w => w.Value.mul(2)));
        var moments = new Dictionary<string, object?> { ["state"] = new Dictionary<string, object?> { ["exp_avg"] = zeros(2) } };
        object value = kind switch
        {
            "plain" => weights,
            "state_dict" => new Dictionary<string, object?> { ["state_dict"] = weights, ["epoch"] = 3L, ["name"] = "flow" },
            "model beside an optimizer" => new Dictionary<string, object?> { ["optimizer"] = moments, ["model"] = weights },
            "an average of weights" => new Dictionary<string, object?>
            {
                ["ema"] = new Dictionary<string, object?> { ["model"] = weights, ["updates"] = 7L },
                ["optimizer"] = new Dictionary<string, object?> { ["inner"] = moments },
            },
            "callbacks, deep" => new Dictionary<string, object?> { ["callbacks"] = new Dictionary<string, object?> { ["EMA"] =
                new Dictionary<string, object?> { ["weights"] = weights } }, ["step"] = 1L },
            "two" => new Dictionary<string, object?> { ["average"] = other, ["model"] = weights },
            "two, deep" => new Dictionary<string, object?> { ["ema"] = new Dictionary<string, object?> { ["model"] = weights },
                ["model"] = other },
            _ => new Dictionary<string, object?> { ["ema.model"] = weights, ["model"] = other },
        };
        TorchWriter.Save(folder.At("checkpoint.pt"), value);
        using var imported = new ZukoImporter { StateDict = key }.Load(folder.At("checkpoint.pt"));
        imported.Report.Prefix.Should().Be("module.");
        using var file = PyTorchFile.Load(PyTorchFileTests.At("zuko_maf.pt"));
        ImporterTests.Close(imported.Flow.LogProb(file["x"]), file["log_prob"], 1e-11);
        if (!kind.StartsWith("two", StringComparison.Ordinal)) return;
        var ask = () => new ZukoImporter { StateDict = kind == "two" ? null : "ema.other" }.Load(folder.At("checkpoint.pt"));
        ask.Should().Throw<InvalidDataException>().WithMessage(kind == "two" ? "*2 state dicts: average, model*StateDict*"
            : "*no state dict 'ema.other'; it has ema, model*");
    }

    [Fact]
    public void What_is_no_checkpoint_is_refused_with_what_came()
    {
        using var scope = NewDisposeScope();
        TorchWriter.Save(folder.At("empty.pt"), new Dictionary<string, object?>());
        Refused("empty.pt", "*empty.pt' holds an empty dictionary*");
        TorchWriter.Save(folder.At("numbers.pt"), new Dictionary<string, object?> { ["epoch"] = 3L, ["loss"] = zeros(1) });
        Refused("numbers.pt", "*no state dict, a dictionary of tensors alone; it has epoch, loss*");
        TorchWriter.Save(folder.At("tensor.pt"), zeros(3));
        Refused("tensor.pt", "*no dictionary, so no state dict*");
        TorchWriter.Save(folder.At("lightning.pt"), new Dictionary<string, object?>
        {
            ["state_dict"] = Weights(""),
            ["hyper_parameters"] = (Func<string>)(() => "cpytorch_lightning.utilities.parsing\nAttributeDict\n)R"),
        });
        Refused("lightning.pt", "*wants to call pytorch_lightning.utilities.parsing.AttributeDict*torch.save(model.state_dict(), path)*");
        File.WriteAllBytes(folder.At("ten.pt"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        Refused("ten.pt", "*ten.pt' is no file of torch.save*first bytes*");
        // a tar archive, as PyTorch wrote before 0.2
        var tar = new byte[1024];
        "sys_info"u8.CopyTo(tar);
        "ustar"u8.CopyTo(tar.AsSpan(257));
        File.WriteAllBytes(folder.At("tar.pt"), tar);
        Refused("tar.pt", "*tar.pt' is no file of torch.save*first bytes*");
        Directory.CreateDirectory(folder.At("folder.pt"));
        var load = () => new ZukoImporter().Load(folder.At("folder.pt"));
        load.Should().Throw<IOException>().WithMessage("*folder.pt*");
    }

    [Fact]
    public void Weights_that_are_no_numbers_of_floating_point_or_of_several_precisions_are_refused_or_converted()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        const string name = "transform.transforms.0.hyper.0.weight";
        var weights = Weights("");
        weights[name] = weights[name].to(int64);
        TorchWriter.Save(folder.At("whole.pt"), weights);
        Refused("whole.pt", $"*'{name}'*Int64*");
        weights = Weights("").ToDictionary(w => w.Key, w => w.Value.is_floating_point() ? w.Value.to(float32) : w.Value);
        weights[name] = weights[name].to(bfloat16);
        TorchWriter.Save(folder.At("mixed.pt"), weights);
        using var imported = new ZukoImporter().Load(folder.At("mixed.pt"));
        imported.Report.Conversions.Should().ContainSingle().Which.Should().Contain("BFloat16 became Float32");
        imported.Flow.parameters().Should().AllSatisfy(p => p.dtype.Should().Be(float32));
    }

    private void Refused(string name, string message)
    {
        var load = () => new ZukoImporter().Load(folder.At(name));
        load.Should().Throw<InvalidDataException>().WithMessage(message);
    }

    private static Dictionary<string, Tensor> Weights(string prefix)
    {
        using var file = PyTorchFile.Load(PyTorchFileTests.At("zuko_maf.pt"));
        return file.Tensors.Where(t => t.Key.StartsWith("model.", StringComparison.Ordinal))
            .ToDictionary(t => prefix + t.Key["model.".Length..], t => t.Value.clone());
    }
}
