using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>
/// The steps of a solve: from which time each example took it and how large it was, 0 for one that did not; and the states
/// at the beginning of some of them, as many as a budget of memory allows.
/// </summary>
/// <remarks>
/// <para>Steps of one size are those of the plan, and nothing is kept of them.</para>
/// <para>Other times and steps lie in blocks of many steps: a small tensor for each step would lie between the large ones of a step
/// that are freed, and the heap would grow with every step.</para>
/// <para>Its tensors belong to the dispose scope in which the solve runs, until they are given away.</para>
/// </remarks>
internal sealed class OdeTape(OdePlan plan, DisposeScope home, long budget = 0, bool keepsStates = true)
{
    private const int StepsOfBlock = 64;

    private readonly List<(Tensor Index, Tensor Data)> blocks = [];
    private readonly List<(int Block, int Slot)> steps = [];
    private readonly SortedDictionary<int, (Tensor Index, Tensor State)> states = [];
    private Tensor? index;
    private long bytes;
    private int stride = 1, free;

    /// <summary>Where the tensors lie that <see cref="Tensors"/> gives.</summary>
    public OdeLayout Layout => new(blocks.Count, [.. steps], [.. states.Keys]);

    /// <summary>Two tensors for each block of steps, and two for each state.</summary>
    public IEnumerable<Tensor> Tensors =>
        blocks.Concat(states.Values.Select(s => (s.Index, Data: s.State))).SelectMany(b => new[] { b.Index, b.Data });

    /// <summary>Writes a step down.</summary>
    /// <param name="before">The examples before it: tensors that nobody changes.</param>
    /// <param name="taken">Which took it (n), Bool.</param>
    public void Add(OdeRows before, Tensor taken)
    {
        using var scope = NewDisposeScope();
        var n = before.Count;
        if (keepsStates && steps.Count % stride == 0) AddState(before);
        if (!plan.Control.IsAdaptive)
        {
            steps.Add(default);
            return;
        }
        if (index?.size(0) != n)
        {
            index = Keep(before.Index.clone());
            free = 0;
        }
        if (free == 0)
        {
            blocks.Add((index, Keep(empty([StepsOfBlock, 2, n], dtype: ScalarType.Float64, device: before.Time.device))));
            free = StepsOfBlock;
        }
        var slot = StepsOfBlock - free--;
        var row = blocks[^1].Data.select(0, slot);
        row.select(0, 0).copy_(before.Time);
        row.select(0, 1).copy_(before.Step.mul(taken.to(before.Step.dtype)));
        steps.Add((blocks.Count - 1, slot));
    }

    private void AddState(OdeRows before)
    {
        states[steps.Count] = (Keep(before.Index.clone()), Keep(before.State.clone()));
        bytes += Size(states[steps.Count]);
        while (bytes > budget && states.Count > 1)
        {
            stride *= 2;
            foreach (var at in states.Keys.Where(k => k % stride != 0).ToArray())
            {
                bytes -= Size(states[at]);
                states[at].Index.Dispose();
                states[at].State.Dispose();
                states.Remove(at);
            }
        }
    }

    private static long Size((Tensor Index, Tensor State) state) => state.State.numel() * state.State.element_size();

    private Tensor Keep(Tensor tensor)
    {
        home.Attach(tensor);
        return tensor;
    }
}

/// <summary>Where what a tape holds lies among its tensors.</summary>
/// <param name="Blocks">The number of blocks of steps.</param>
/// <param name="Steps">The block and the place in it of each step.</param>
/// <param name="StatesAt">Which steps have a state of their own; the first one always has, if there are any.</param>
internal sealed record OdeLayout(int Blocks, (int Block, int Slot)[] Steps, int[] StatesAt)
{
    /// <summary>The number of tensors of the tape.</summary>
    public int Tensors => 2 * (Blocks + StatesAt.Length);
}

/// <summary>A tape that was given away and is read.</summary>
/// <param name="Tensors">Those of <see cref="OdeTape.Tensors"/>.</param>
/// <param name="Layout">Where what lies.</param>
/// <param name="Plan">What the steps were taken by.</param>
/// <param name="Start">The state at the start (N, M).</param>
internal sealed record OdeRecord(IReadOnlyList<Tensor> Tensors, OdeLayout Layout, OdePlan Plan, Tensor Start)
{
    public int Count => Layout.Steps.Length;

    public IReadOnlyList<int> StatesAt => Layout.StatesAt;

    /// <summary>Who took a step, from when, and how far. On the CPU only those who
    /// did; elsewhere that would wait, and a step of 0 does no harm.</summary>
    public (Tensor Index, Tensor Time, Tensor Step) Step(int i)
    {
        if (!Plan.Control.IsAdaptive) return Equal(i);
        var (block, slot) = Layout.Steps[i];
        var (index, data) = (Tensors[2 * block], Tensors[(2 * block) + 1].select(0, slot));
        var (time, step) = (data.select(0, 0), data.select(0, 1));
        if (step.device_type != DeviceType.CPU) return (index, time, step);
        var rows = step.nonzero().squeeze(1);
        return rows.size(0) == index.size(0) ? (index, time, step)
            : (index.index_select(0, rows), time.index_select(0, rows), step.index_select(0, rows));
    }

    // all examples take all steps; a device may have tried some behind the last one
    private (Tensor, Tensor, Tensor) Equal(int i)
    {
        var (n, device, control) = (Start.size(0), Start.device, Plan.Control);
        using var time = Scalars.New(((double)i * (control.End - control.Start) / control.FixedSteps) + control.Start);
        using var step = Scalars.New(i < control.FixedSteps ? Plan.FixedStep : 0);
        return (Scalars.Range(n, device), full(n, time, float64, device), full(n, step, float64, device));
    }

    public (Tensor Index, Tensor State) State(int place) =>
        (Tensors[2 * (Layout.Blocks + place)], Tensors[(2 * (Layout.Blocks + place)) + 1]);
}
