using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>All that is the same for every layer of a pass.</summary>
/// <remarks>
/// <para>Layers get it as an argument, in <see cref="Pass"/>. It is in a field of the thread too, the only one of a pass,
/// for those whom no argument reaches: a network, which is a module of TorchSharp and is called with tensors alone (a batch
/// normalization in it asks for the tape); and a layer of a user's that calls another one by its public method, which
/// belongs to the pass all the same. Argument and field are never different: who changes the state enters it.</para>
/// <para>Without a seed, a requested dtype, a tape or somebody who looks on there is no state, and a pass costs nothing.</para>
/// </remarks>
internal sealed record PassState
{
    private static readonly PassState nothing = new();

    [ThreadStatic] private static PassState? current;

    /// <summary>The pass that runs on this thread; null if there is nothing to say about it.</summary>
    public static PassState? Current => current;

    /// <summary>Where random layers draw from; null is torch's own generator.</summary>
    public Generator? Generator { get; private init; }

    /// <summary>The dtype in which the caller of an inverse pass wants data; null for that of the weights.</summary>
    public ScalarType? DataDtype { get; private init; }

    /// <summary>Who runs layers in place of themselves; null for nobody.</summary>
    public LayerRunner? Runner { get; private init; }

    /// <summary>What layers write on, or are computed again from; null for nothing.</summary>
    public PassTape? Tape { get; private init; }

    /// <summary>Who hears in the backward pass which layers are done; null if nobody wants to.</summary>
    public BackwardWatch? Watch { get; private init; }

    /// <summary>Where layers say how far off their log-determinants are; null if nobody asks.</summary>
    public LogDetErrors? Errors { get; private init; }

    /// <summary>Where continuous layers say what their paths cost; null if nobody asks.</summary>
    public PathCost? Cost { get; private init; }

    /// <summary>What the tolerances of solvers are multiplied by.</summary>
    public double ToleranceFactor { get; private init; } = 1;

    /// <summary>How layers that solve differential equations do it, without log-determinants; null for their own way.</summary>
    public OdeOptions? Solver { get; private init; }

    /// <summary>Whether the caller drops the log-determinants.</summary>
    public bool ValuesOnly { get; private init; }

    /// <summary>Called before each layer runs, with its input and the direction.</summary>
    public Action<Bijection, Tensor, bool>? Arrival { get; private init; }

    /// <summary>Called after each layer has run.</summary>
    public Action<LayerRun>? Observer { get; private init; }

    /// <summary>Whether somebody looks at each layer.</summary>
    public bool IsWatched => Arrival is not null || Observer is not null;

    /// <summary>Whether nobody on this thread runs layers, looks at them, or asks them for more than values and log-determinants.</summary>
    public static bool IsQuiet => current is null or { Runner: null, Tape: null, Errors: null, Cost: null, Solver: null, IsWatched: false };

    /// <summary>Draws from a new generator with <paramref name="seed"/> on
    /// this thread until disposed; a null seed changes nothing.</summary>
    public static Scope Seed(long? seed)
    {
        if (seed is not { } s) return new Scope(current, null);
        var generator = RandomSource.New(s);
        return Enter((current ?? nothing) with { Generator = generator }, generator);
    }

    /// <summary>Wants data of an inverse pass in a dtype until disposed; null for that of the weights.</summary>
    public static Scope WithDtype(ScalarType? dtype) => current?.DataDtype == dtype ? new Scope(current, null)
        : Enter((current ?? nothing) with { DataDtype = dtype });

    /// <summary>Lets somebody run the layers until disposed; null lets them run by themselves.</summary>
    public static Scope RunBy(LayerRunner? runner) => ReferenceEquals(current?.Runner, runner) ? new Scope(current, null)
        : Enter((current ?? nothing) with { Runner = runner });

    /// <summary>Lets layers write on a tape, or be computed again from it, until disposed.</summary>
    public static Scope OnTape(PassTape tape) => Enter((current ?? nothing) with { Tape = tape });

    /// <summary>Lets somebody hear, in the backward pass of what runs until disposed, which layers are done; null changes
    /// nothing.</summary>
    public static Scope WatchedBy(BackwardWatch? watch) => watch is null ? new Scope(current, null)
        : Enter((current ?? nothing) with { Watch = watch });

    /// <summary>Calls <paramref name="action"/> after every layer's run on this thread, until disposed.</summary>
    public static Scope Observe(Action<LayerRun> action) => Enter((current ?? nothing) with { Observer = action });

    /// <summary>Calls <paramref name="action"/> before every layer's run on
    /// this thread, with input and direction, until disposed.</summary>
    public static Scope BeforeEach(Action<Bijection, Tensor, bool> action) => Enter((current ?? nothing) with { Arrival = action });

    /// <summary>Asks layers how far off their log-determinants are, until disposed.</summary>
    public static Scope AskErrors(LogDetErrors errors) => Enter((current ?? nothing) with { Errors = errors });

    /// <summary>Asks continuous layers what their paths cost, until disposed.</summary>
    public static Scope AskCost(PathCost cost) => Enter((current ?? nothing) with { Cost = cost });

    /// <summary>Lets solvers work with a part of their tolerances until disposed.</summary>
    public static Scope Tighten(double factor) => Enter((current ?? nothing) with { ToleranceFactor = factor });

    /// <summary>Lets continuous layers solve in a way of the caller's, and compute no log-determinants, until disposed.</summary>
    public static Scope SolveBy(OdeOptions solver) => Enter((current ?? nothing) with { Solver = solver, ValuesOnly = true });

    /// <summary>Spares layers the work of log-determinants, which the caller drops, until disposed;
    /// with <paramref name="want"/> they give them, whatever was said before.</summary>
    public static Scope WantLogDets(bool want) => (current?.ValuesOnly ?? false) == !want ? new Scope(current, null)
        : Enter((current ?? nothing) with { ValuesOnly = !want });

    private static Scope Enter(PassState state, Generator? own = null)
    {
        var scope = new Scope(current, own);
        current = state;
        return scope;
    }

    public readonly struct Scope(PassState? previous, Generator? own) : IDisposable
    {
        public void Dispose()
        {
            current = previous;
            own?.Dispose();
        }
    }
}
