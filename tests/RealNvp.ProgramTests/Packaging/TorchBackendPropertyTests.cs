using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The TorchBackend property with which the repository's own programs choose their libtorch.</summary>
public sealed class TorchBackendPropertyTests
{
    private static readonly string TestProject = Repository.At("tests", "RealNvp.Tests", "RealNvp.Tests.csproj");

    [Theory]
    [InlineData("cpu")]
    [InlineData("cuda-windows")]
    [InlineData("cuda-linux")]
    public void One_backend_is_referenced_and_no_other(string backend)
    {
        using var folder = new GeneratedProject();
        var references = folder.DotNet("msbuild", TestProject, "-getItem:PackageReference", $"-p:TorchBackend={backend}");
        references.Split("\"Identity\": \"TorchSharp-").Should().HaveCount(2).And.Subject.Last().Should().StartWith($"{backend}\"");
    }

    [Fact]
    public void A_backend_that_does_not_exist_is_an_error_that_lists_those_that_do()
    {
        using var folder = new GeneratedProject();
        var (exitCode, output) = folder.TryDotNet("msbuild", TestProject, "-t:CollectPackageReferences", "-p:TorchBackend=cuda");
        exitCode.Should().NotBe(0);
        output.Should().Contain("TorchBackend is 'cuda'; it can be cpu, cuda-windows or cuda-linux.");
    }
}
