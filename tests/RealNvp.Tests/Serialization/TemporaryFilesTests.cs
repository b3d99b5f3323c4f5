using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Serialization;

/// <summary>Files that killed saves left: they are removed at the next save to the same target, and nothing else is.</summary>
public sealed class TemporaryFilesTests : IDisposable
{
    private static readonly DateTime old = DateTime.UtcNow.AddMinutes(-2);
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Names => ["model.safetensors", "a", "a b'*?[].x", "ein Modell für später é", new string('n', 250),
        string.Concat(Enumerable.Repeat("模型🙂", 20))];

    [Theory, MemberData(nameof(Names))]
    public void What_a_killed_save_left_is_removed_by_the_next_save_to_the_same_file(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() && name.AsSpan().ContainsAny("*?"), "Windows has no such names");
        List<string> left = [.. Enumerable.Range(0, 3).Select(_ => Left(name, old))];
        left.Distinct().Should().HaveCount(3);
        left.Should().OnlyContain(n => System.Text.Encoding.UTF8.GetByteCount(n) <= 255);
        Save(name);
        folder.Names.Should().Equal(name);
    }

    [Fact]
    public void What_is_young_stays()
    {
        var young = Left("model", DateTime.UtcNow.AddSeconds(-30));
        var future = Left("model", DateTime.UtcNow.AddHours(1));
        Save("model");
        folder.Names.Should().BeEquivalentTo([young, future, "model"]);
    }

    [Fact]
    public void What_a_living_process_writes_stays()
    {
        var path = TemporaryFiles.NameFor(folder.At("model"));
        using (var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            stream.WriteByte(1);
            stream.Flush();
            File.SetLastWriteTimeUtc(stream.SafeFileHandle, old);
            Save("model");
            File.Exists(path).Should().BeTrue("its writer has it open");
        }
        File.SetLastWriteTimeUtc(path, old);
        Save("model");
        File.Exists(path).Should().BeFalse("nobody has it open");
    }

    [Fact]
    public void What_is_another_targets_or_nobody_elses_stays()
    {
        var digits = new string('0', 16);
        string[] others =
        [
            Left("model2", old), Left("odel", old), Left(".model", old), Left("MODEL", old), Left("model.safetensors", old),
            Left($"model.{digits}.realnvp.tmp", old), Left(new string('n', 250), old), Left(new string('n', 251), old),
            $".model.{digits}.tmp", $".model.{digits}.realnvp.tmp2", $"model.{digits}.realnvp.tmp", $".model.{digits[1..]}.realnvp.tmp",
                $".model.{digits}0.realnvp.tmp",
            $".model.{digits[1..]}g.realnvp.tmp", $".model.{digits[1..]}A.realnvp.tmp", ".model..realnvp.tmp", "model.tmp", "important.txt",
        ];
        foreach (var name in others) Touch(name, old);
        var inFolder = $".model.{digits[1..]}1.realnvp.tmp";
        Directory.CreateDirectory(folder.At(inFolder));
        Directory.SetLastWriteTimeUtc(folder.At(inFolder), old);
        Save("model");
        folder.Names.Should().BeEquivalentTo([.. others.Distinct(), inFolder, "model"]);
    }

    [Fact]
    public void A_link_with_such_a_name_and_what_it_points_to_stay()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows asks for a privilege to make a link");
        Touch("victim", old);
        var link = $".model.{new string('0', 16)}.realnvp.tmp";
        File.CreateSymbolicLink(folder.At(link), "victim");
        Save("model");
        folder.Names.Should().BeEquivalentTo([link, "model", "victim"]);
    }

    private void Save(string name) => AtomicFile.Write(folder.At(name), stream => stream.WriteByte(1));

    private string Left(string target, DateTime written) => Touch(Path.GetFileName(TemporaryFiles.NameFor(folder.At(target))), written);

    private string Touch(string name, DateTime written)
    {
        File.WriteAllText(folder.At(name), "left");
        File.SetLastWriteTimeUtc(folder.At(name), written);
        return name;
    }
}
