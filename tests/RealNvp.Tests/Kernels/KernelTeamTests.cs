using RealNvp.Kernels;

namespace RealNvp.Tests.Kernels;

public class KernelTeamTests
{
    [Theory, InlineData(1), InlineData(2), InlineData(5)]
    public void Every_part_is_done_once_in_each_of_many_runs(int threads)
    {
        var team = new Counting();
        for (var run = 1; run <= 5000; run++)
        {
            team.Count(1 + (run % 7), threads);
            // without a call of the assertions in each of five thousand runs, which would take most of the time
            if (Array.FindIndex(team.Counts, 0, 1 + (run % 7), count => count != 1) is var part and >= 0)
                Assert.Fail($"In run {run} part {part} was done {team.Counts[part]} times.");
        }
    }

    [Fact]
    public void A_run_allocates_nothing_on_the_callers_thread()
    {
        var team = new Counting();
        for (var i = 0; i < 1000; i++) team.Count(4, 2);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) team.Count(4, 2);
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(1000,
            "the pool's queue may take a new segment, but no run allocates");
    }

    private sealed class Counting : KernelTeam
    {
        public int[] Counts { get; } = new int[8];

        public void Count(int parts, int threads)
        {
            Array.Clear(Counts);
            RunAll(parts, threads);
        }

        protected override void Run(int part) => Counts[part]++;
    }
}
