using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Few;

/// <summary>
/// What a call with few rows asks libtorch for, and what it allocates: the same for any number of rows. These numbers do not depend on the
/// machine's speed. Where one shrinks, write the smaller one here, and in docs/performance.md.
/// </summary>
public class FewGuardTests
{
    // operations and managed bytes: of LogProb, Encode and Decode the tensor of the result alone; of Sample with the noise
    private static readonly Dictionary<string, (int Calls, int Bytes, int SampleCalls, int SampleBytes)> limits = new()
    {
        ["RealNvp, Toy2D"] = (1, 200, 2, 1536),
        ["RealNvp, Tabular(10)"] = (1, 200, 2, 400),
        ["Spline, Tabular(10)"] = (1, 200, 2, 400),
        ["MAF, Tabular(10)"] = (1, 200, 2, 400),
        ["IAF, Tabular(10)"] = (1, 200, 2, 400),
    };

    private static readonly Dictionary<string, ModelOptions> options = new()
    {
        ["RealNvp, Toy2D"] = RealNvpOptions.Toy2D, ["RealNvp, Tabular(10)"] = RealNvpOptions.Tabular(10),
        ["Spline, Tabular(10)"] = SplineFlowOptions.Tabular(10), ["MAF, Tabular(10)"] = MafOptions.Tabular(10),
        ["IAF, Tabular(10)"] = IafOptions.Tabular(10),
    };

    public static TheoryData<string> Names => [.. limits.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Few_rows_cost_a_stated_number_of_calls_and_bytes_whatever_their_number(string name)
    {
        var limit = limits[name];
        using var scope = NewDisposeScope();
        using var model = options[name].NewModel(seed: 1);
        model.eval();
        var features = model.InputShape[0];
        foreach (var count in (int[])[1, 4, 16])
        {
            var x = randn(count, features);
            Check($"LogProb of {count}", () => model.LogProb(x).Dispose(), limit.Calls, limit.Bytes);
            Check($"Encode of {count}", () => model.Encode(x).Dispose(), limit.Calls, limit.Bytes);
            Check($"Decode of {count}", () => model.Decode(x).Dispose(), limit.Calls, limit.Bytes);
            Check($"Sample of {count}", () => model.Sample(count).Dispose(), limit.SampleCalls, limit.SampleBytes);
            float[] rows = x.data<float>().ToArray(), logProb = new float[count], z = new float[rows.Length];
            Check($"LogProbInto of {count}", () => model.LogProbInto(rows, logProb), 0, 0);
            Check($"EncodeInto of {count}", () => model.EncodeInto(rows, z), 0, 0);
            Check($"DecodeInto of {count}", () => model.DecodeInto(rows, z), 0, 0);
        }

        void Check(string what, Action call, int calls, int bytes)
        {
            for (var i = 0; i < 3; i++) call();
            Enumerable.Range(0, 3).Min(_ =>
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                call();
                return GC.GetAllocatedBytesForCurrentThread() - before;
            }).Should().BeLessThanOrEqualTo(bytes, "of what {0} of {1} allocates", what, name);
            using var counted = NativeCalls.Start();
            if (counted is null) return;
            call();
            counted.Outer.Should().BeLessThanOrEqualTo(calls, "of the operations of {0} of {1}", what, name);
        }
    }
}
