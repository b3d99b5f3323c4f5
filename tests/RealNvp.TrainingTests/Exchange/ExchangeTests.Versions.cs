using System.Reflection;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <content>Processes of other versions of the library.</content>
public partial class ExchangeTests
{
    private static string Version => typeof(Trainer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion;

    [Fact]
    public void Another_version_of_the_library_on_a_process_is_refused_before_anything_else_is_said()
    {
        var calls = new List<string>[3];
        var (_, faults) = ThreadExchange.RunAll(3, exchange =>
        {
            calls[exchange.Rank] = exchange.Calls;
            using var scope = NewDisposeScope();
            using var flow = Small();
            using var trainer = new Trainer(flow, options) { Exchange = new OtherVersion(exchange) };
            return trainer.Fit(Part(exchange));
        });
        faults.Should().AllBeOfType<InvalidOperationException>();
        faults[2]!.Message.Should().Contain("Process 2 of 3 has another version of the library than process 0")
            .And.Contain($"Here: {Version}. There: {OtherVersion.Of(Version)}.").And.Contain("the same program");
        faults[0]!.Message.Should().StartWith("Process 2 of 3 cannot train").And.Contain("version of the library");
        faults[1]!.Message.Should().StartWith("Process 2 of 3 cannot train");
        // a later version may say more after it, so these calls are all that two versions need agree on
        foreach (var said in calls)
            said.Should().Equal("sum Float64 3", $"broadcast Byte {Version.Length} of 0", "sum Float64 3", "sum Float64 3",
                $"broadcast Byte {Encoding.UTF8.GetByteCount(faults[0]!.Message.Split("It says: ")[1])} of 2");
    }

    /// <summary>To process 2, process 0 is of another version.</summary>
    private sealed class OtherVersion(ThreadExchange exchange) : IGradientExchange
    {
        public static string Of(string version) => version[..^1] + '~';

        public int Rank => exchange.Rank;

        public int Size => exchange.Size;

        public void Sum(Tensor bucket) => exchange.Sum(bucket);

        public void Broadcast(Tensor values, int root)
        {
            exchange.Broadcast(values, root);
            if (Rank == 2 && root == 0 && values.dtype == ScalarType.Byte && Encoding.UTF8.GetString(values.bytes) == Version)
                Encoding.UTF8.GetBytes(Of(Version)).CopyTo(values.bytes);
        }

        public void Barrier() => exchange.Barrier();

        public void Abort(string reason) => exchange.Abort(reason);
    }
}
