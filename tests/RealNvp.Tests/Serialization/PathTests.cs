using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>What lies at a path: a file is read or replaced, and what is none is refused before it is opened.</summary>
public sealed class PathTests : IDisposable
{
    private static readonly TimeSpan soon = TimeSpan.FromSeconds(20);
    private static readonly UnixFileMode forOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly TemporaryFolder folder = new();
    private Socket? socket;

    public void Dispose()
    {
        socket?.Dispose();
        folder.Dispose();
    }

    public static TheoryData<string> Reading => [.. reading.Keys];

    public static TheoryData<string> Writing => [.. writing.Keys];

    [Theory, MemberData(nameof(Reading))]
    public void A_pipe_a_socket_or_a_device_is_not_read(string entry)
    {
        using var model = Model();
        foreach (var (path, what) in NoFiles())
            Soon(() => reading[entry](model, path).Should().Throw<Exception>(what).Which.Should()
                .Match<Exception>(e => (e is InvalidDataException || e is IOException) && e.Message.Contains(path, StringComparison.Ordinal)
                && e.Message.Contains("pipe", StringComparison.Ordinal), what));
    }

    [Theory, MemberData(nameof(Writing))]
    public void A_pipe_a_socket_or_a_device_is_not_replaced(string entry)
    {
        using var model = Model();
        foreach (var (path, what) in NoFiles())
        {
            Soon(() => writing[entry](model, path).Should().Throw<IOException>(what).WithMessage($"*{path}*pipe*"));
            PathCheck.IsRegular(path).Should().BeFalse("it is what it was");
        }
        folder.Names.Should().Equal("pipe", "pipe-link", "socket", "zero-link");
    }

    [Theory, MemberData(nameof(Reading))]
    public void A_folder_or_a_link_to_nothing_is_not_read(string entry)
    {
        using var model = Model();
        reading[entry](model, folder.Path).Should().Throw<IOException>().WithMessage($"*{folder.Path}*is a folder*");
        reading[entry](model, folder.At("nothing")).Should().Throw<FileNotFoundException>().WithMessage($"*{folder.At("nothing")}*");
        if (OperatingSystem.IsWindows()) return;
        File.CreateSymbolicLink(folder.At("link"), "nothing");
        reading[entry](model, folder.At("link")).Should().Throw<FileNotFoundException>().WithMessage("*link to nothing*");
        File.CreateSymbolicLink(folder.At("good"), "file");
        model.Save(folder.At("file"));
        if (!entry.Contains(nameof(Trainer.Resume), StringComparison.Ordinal)) reading[entry](model, folder.At("good")).Should().NotThrow();
    }

    [Theory, MemberData(nameof(Writing))]
    public void A_path_that_cannot_be_written_is_named_and_not_the_temporary_file(string entry)
    {
        using var model = Model();
        File.WriteAllText(folder.At("file"), "old");
        writing[entry](model, folder.Path).Should().Throw<IOException>().WithMessage($"*{folder.Path}*is a folder*");
        writing[entry](model, folder.At("new" + Path.DirectorySeparatorChar)).Should().Throw<IOException>().WithMessage("*is a folder*");
        writing[entry](model, folder.At("no/where/x")).Should().Throw<DirectoryNotFoundException>()
            .WithMessage($"*the folder '{Path.Combine(folder.Path, "no", "where")}' does not exist*");
        writing[entry](model, folder.At("file/x")).Should().Throw<DirectoryNotFoundException>()
            .WithMessage($"*'{folder.At("file")}' is a file, no folder*");
        var longest = new string('x', 300);
        writing[entry](model, folder.At(longest)).Should().Throw<IOException>().Which.Message.Should()
            .NotContain(".tmp").And.Contain(longest);
        folder.Names.Should().Equal("file");
        File.ReadAllText(folder.At("file")).Should().Be("old");
    }

    [Theory, MemberData(nameof(Writing))]
    public void A_read_only_file_stays_as_it_is(string entry)
    {
        using var model = Model();
        var path = folder.Write("file", "old");
        File.SetAttributes(path, FileAttributes.ReadOnly);
        writing[entry](model, path).Should().Throw<UnauthorizedAccessException>().WithMessage($"*{path}*is read-only*");
        File.ReadAllText(path).Should().Be("old");
        File.SetAttributes(path, FileAttributes.Normal);
        folder.Names.Should().Equal("file");
    }

    [Theory, MemberData(nameof(Writing))]
    public void The_rights_of_a_file_stay_what_they_were(string entry)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        if (OperatingSystem.IsWindows()) return;
        using var model = Model();
        var path = folder.Write("file", "");
        foreach (var mode in new[] { forOwner, forOwner | UnixFileMode.GroupRead,
            forOwner | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead })
        {
            File.SetUnixFileMode(path, mode);
            writing[entry](model, path)();
            File.GetUnixFileMode(path).Should().Be(mode);
        }
        new FileInfo(path).Length.Should().BeGreaterThan(0, "an empty file is replaced as any other");
    }

    [Fact]
    public void A_folder_that_forbids_new_files_is_named()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows()
            || Environment.UserName == "root", "the right to write in a folder cannot be taken away here");
        if (OperatingSystem.IsWindows()) return;
        using var model = Model();
        var path = folder.Write("file", "old");
        File.SetUnixFileMode(folder.Path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try { FluentActions.Invoking(() => model.Save(path)).Should().Throw<UnauthorizedAccessException>().WithMessage(
            $"*{path}*could not be written, and the file that is there stays as it is*").Which.Message.Should().NotContain(".tmp"); }
        finally { File.SetUnixFileMode(folder.Path, forOwner | UnixFileMode.UserExecute); }
    }

    [Fact]
    public void Fit_refuses_a_checkpoint_path_that_cannot_be_written_before_any_work()
    {
        using var scope = NewDisposeScope();
        var path = folder.Write("file", "old");
        File.SetAttributes(path, FileAttributes.ReadOnly);
        using var model = Model();
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 1, CheckpointPath = path });
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(randn(64, 2)))).Should().Throw<UnauthorizedAccessException>();
        trainer.Step.Should().Be(0);
        File.SetAttributes(path, FileAttributes.Normal);
    }

    // each fails within the call, or opens the file and succeeds
    private static readonly Dictionary<string, Func<FlowModel, string, Action>> reading = new()
    {
        ["FlowModel.Load"] = (_, path) => () => FlowModel.Load(path).Dispose(),
        [nameof(Flow.LoadWeights)] = (model, path) => () => model.LoadWeights(path),
        [nameof(Trainer.Resume)] = (_, path) => () => Trainer.Resume(path),
        ["Resume of a flow"] = (model, path) => () => Trainer.Resume(path, model),
        ["SafeTensors.Load"] = (_, path) => () => SafeTensors.Load(path).Dispose(),
        [nameof(SafeTensors.ReadHeader)] = (_, path) => () => SafeTensors.ReadHeader(path),
    };

    private static readonly Dictionary<string, Func<FlowModel, string, Action>> writing = new()
    {
        [nameof(FlowModel.Save)] = (model, path) => () => model.Save(path),
        [nameof(Flow.SaveWeights)] = (model, path) => () => model.SaveWeights(path),
        [nameof(Trainer.SaveCheckpoint)] = (model, path) => () =>
        {
            using var trainer = new Trainer(model, new TrainingOptions { Epochs = 1 });
            trainer.SaveCheckpoint(path);
        },
        ["SafeTensors.Save"] = (_, path) => () =>
        {
            using var one = ones(1);
            SafeTensors.Save(path, new Dictionary<string, Tensor> { ["one"] = one });
        },
    };

    private static RealNvpModel Model() => new(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 4 }, seed: 1);

    private List<(string Path, string What)> NoFiles()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no pipes and devices among its files");
        try
        {
            using var make = Process.Start("mkfifo", folder.At("pipe"));
            make.WaitForExit();
        }
        catch (Win32Exception) { Assert.Skip("there is no mkfifo here"); }
        File.CreateSymbolicLink(folder.At("pipe-link"), "pipe");
        File.CreateSymbolicLink(folder.At("zero-link"), "/dev/zero");
        socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(folder.At("socket")));
        return [(folder.At("socket"), "a socket"), (folder.At("pipe"), "a pipe"), (folder.At("pipe-link"), "a link to a pipe"),
            ("/dev/zero", "a device"), (folder.At("zero-link"), "a link to a device"), ("/dev/null", "another device")];
    }

    // a pipe that is opened waits for ever: the test then fails, and its thread stays
    private static void Soon(Action action)
    {
        Exception? error = null;
        var thread = new Thread(() => { try { action(); } catch (Exception e) { error = e; } }) { IsBackground = true };
        thread.Start();
        thread.Join(soon).Should().BeTrue("it must not wait for the other end of a pipe");
        if (error is not null) throw new AggregateException(error);
    }
}
