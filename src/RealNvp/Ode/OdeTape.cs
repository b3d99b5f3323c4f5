using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>
/// The accepted steps of a solve: of each who took it, from which time, and how large it was;
/// and the states at the beginning of some of them, as many as a budget of memory allows.
/// </summary>
/// <remarks>Its tensors belong to the dispose scope in which the solve runs, until <see cref="Tensors"/> are given away.</remarks>
internal sealed class OdeTape(long budget, DisposeScope home, bool keepsStates = true)
{
    private Tensor? index;
    private readonly List<(Tensor Index, Tensor Time, Tensor Step)> steps = [];
    private readonly SortedDictionary<int, (Tensor Index, Tensor State)> states = [];
    private long bytes;
    private int stride = 1;

    public int Count => steps.Count;

    /// <summary>Which steps have a state of their own; the first one always has.</summary>
    public IReadOnlyList<int> StatesAt => [.. states.Keys];

    /// <summary>Three tensors for each step, and two for each state.</summary>
    public IEnumerable<Tensor> Tensors =>
        steps.SelectMany(s => new[] { s.Index, s.Time, s.Step }).Concat(states.Values.SelectMany(s => new[] { s.Index, s.State }));

    /// <summary>Writes a step down.</summary>
    /// <param name="before">The examples before it: tensors that nobody changes.</param>
    /// <param name="taken">Which took it (n), Bool.</param>
    public void Add(OdeRows before, Tensor taken)
    {
        using var scope = NewDisposeScope();
        if (keepsStates && steps.Count % stride == 0) AddState(before);
        if (index?.shape[0] != before.Count) index = Keep(before.Index.clone());
        if (before.State.device_type == DeviceType.CPU)
        {
            var rows = taken.nonzero().squeeze(1);
            if (rows.shape[0] == before.Count) steps.Add((index, Keep(before.Time.clone()), Keep(before.Step.clone())));
            else steps.Add((Keep(before.Index.index_select(0, rows)), Keep(before.Time.index_select(0, rows)),
                Keep(before.Step.index_select(0, rows))));
        }
        // a step of 0 changes nothing, and asks nobody who took it
        else steps.Add((index, Keep(before.Time.clone()), Keep(before.Step.mul(taken.to(before.Step.dtype)))));
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

/// <summary>A tape that was given away and is read.</summary>
/// <param name="Tensors">Those of <see cref="OdeTape.Tensors"/>.</param>
/// <param name="Count">The number of steps.</param>
/// <param name="StatesAt">Which of them have a state.</param>
internal sealed record OdeRecord(IReadOnlyList<Tensor> Tensors, int Count, IReadOnlyList<int> StatesAt)
{
    public (Tensor Index, Tensor Time, Tensor Step) Step(int i) => (Tensors[3 * i], Tensors[(3 * i) + 1], Tensors[(3 * i) + 2]);

    public (Tensor Index, Tensor State) State(int place) => (Tensors[(3 * Count) + (2 * place)], Tensors[(3 * Count) + (2 * place) + 1]);
}
