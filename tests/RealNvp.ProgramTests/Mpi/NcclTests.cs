using System.Runtime.InteropServices;
using RealNvp.Mpi;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Mpi;

/// <summary>How NCCL is called, by a table of functions in its place: this has not run on a GPU.</summary>
public class NcclTests
{
    private sealed class Fake : INcclFunctions
    {
        public List<string> Calls { get; } = [];

        public int Code { get; set; }

        public int GetUniqueId(out NcclId id)
        {
            id = default;
            MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref id, 1)).Fill(7);
            Calls.Add("id");
            return Code;
        }

        public int CommInitRank(out nint communicator, int size, NcclId id, int rank)
        {
            var bytes = MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref id, 1));
            Calls.Add($"init {rank} of {size} by {bytes.Length} bytes of {bytes[0]}..{bytes[127]}");
            communicator = 42;
            return Code;
        }

        public int AllReduce(nint send, nint receive, nuint count, int type, int operation, nint communicator, nint stream)
        {
            Calls.Add($"sum {(send == receive ? "in place" : "")} at {send} {count} of {type} by {operation} in {communicator} on " +
                $"{stream}");
            return Code;
        }

        public int CommDestroy(nint communicator)
        {
            Calls.Add($"destroy {communicator}");
            return Code;
        }

        public int CommAbort(nint communicator)
        {
            Calls.Add($"abort {communicator}");
            return Code;
        }

        public string ErrorString(int code) => $"error {code} of NCCL";
    }

    private sealed class Control(int rank) : IGradientExchange
    {
        public List<string> Calls { get; } = [];

        public int Rank => rank;

        public int Size => 2;

        public void Sum(Tensor bucket) => Calls.Add($"sum {bucket.numel()}");

        public void Broadcast(Tensor values, int root)
        {
            Calls.Add($"broadcast {values.numel()} {values.dtype} of {root}");
            // what process 0 said
            if (rank > 0) values.fill_(7);
        }

        public void Barrier() => Calls.Add("barrier");

        public void Abort(string reason) => Calls.Add($"abort {reason}");
    }

    [Theory, InlineData(0), InlineData(1)]
    public void The_group_is_made_once_by_the_name_of_process_0_and_sums_are_in_place_on_the_default_stream(int rank)
    {
        using var scope = NewDisposeScope();
        var (nccl, control) = (new Fake(), new Control(rank));
        using (var exchange = new NcclExchange(control, nccl, t => (t.numel() > 2, 1000)))
        {
            exchange.Sum(ones(5));
            exchange.Sum(ones(6, dtype: float64));
            // numbers on the CPU go the other way
            exchange.Sum(ones(2));
            exchange.Barrier();
        }
        string[] expected = [.. rank == 0 ? ["id"] : Array.Empty<string>(), $"init {rank} of 2 by 128 bytes of 7..7",
            "sum in place at 1000 5 of 7 by 0 in 42 on 0", "sum in place at 1000 6 of 8 by 0 in 42 on 0", "destroy 42"];
        nccl.Calls.Should().Equal(expected);
        control.Calls.Should().Equal("broadcast 128 Byte of 0", "sum 2", "barrier");
    }

    [Fact]
    public void An_error_is_named_and_an_abort_ends_both()
    {
        using var scope = NewDisposeScope();
        var (nccl, control) = (new Fake(), new Control(1));
        var exchange = new NcclExchange(control, nccl, t => (true, 1000));
        exchange.Sum(ones(3));
        nccl.Code = 3;
        exchange.Invoking(e => e.Sum(ones(3))).Should().Throw<MpiException>().WithMessage("ncclAllReduce failed: error 3 of NCCL")
            .Which.Code.Should().Be(3);
        exchange.Abort("so");
        nccl.Calls[^1].Should().Be("abort 42");
        control.Calls[^1].Should().Be("abort so");
        exchange.Dispose();
        exchange.Invoking(e => e.Sum(ones(3))).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void Without_NCCL_it_says_what_to_install() =>
        FluentActions.Invoking(() => new NcclExchange(new Control(0), "libnothing.so.9")).Should().Throw<DllNotFoundException>()
            .WithMessage("*libnothing.so.9*libnccl2*");
}
