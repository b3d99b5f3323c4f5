namespace RealNvp.Tables;

/// <summary>Columns of one kind of head, whose parameters lie together: all first parameters before all second ones.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Columns">The columns, ascending.</param>
/// <param name="PerColumn">The number of parameters of a column.</param>
internal sealed record HeadGroup(HeadKind Kind, int[] Columns, int PerColumn)
{
    /// <summary>The first output.</summary>
    public long Start { get; init; }

    public long Outputs => (long)PerColumn * Columns.Length;
}

/// <summary>Which outputs of the network are whose.</summary>
internal sealed class HeadLayout
{
    private readonly long[] logits;

    /// <summary>Lays the parameters of columns out.</summary>
    /// <param name="heads">The columns.</param>
    /// <param name="perColumn">The number of parameters of a column of a kind with a spline.</param>
    public HeadLayout(ColumnHead[] heads, Func<HeadKind, int> perColumn)
    {
        var outputs = new List<long>();
        logits = new long[heads.Length];
        for (var c = 0; c < heads.Length; c++)
        {
            logits[c] = outputs.Count;
            outputs.AddRange(Enumerable.Repeat((long)c, LogitsOf(heads[c]) + (heads[c].IsOrdered ? 2 : 0)));
        }
        var groups = new List<HeadGroup>();
        foreach (var kind in (HeadKind[])[HeadKind.Line, HeadKind.Cells, HeadKind.Box, HeadKind.Circle])
        {
            int[] columns = [.. Enumerable.Range(0, heads.Length).Where(c => heads[c].Kind == kind)];
            if (columns.Length == 0) continue;
            groups.Add(new(kind, columns, perColumn(kind)) { Start = outputs.Count });
            for (var p = 0; p < perColumn(kind); p++) outputs.AddRange(columns.Select(c => (long)c));
        }
        (Outputs, Groups) = ([.. outputs], groups);
    }

    /// <summary>For each output its column.</summary>
    public long[] Outputs { get; }

    public IReadOnlyList<HeadGroup> Groups { get; }

    /// <summary>The first logit of a column.</summary>
    public long LogitsAt(int column) => logits[column];

    /// <summary>The number of logits: K, or one for all that is no atom and one for each atom, or none.</summary>
    public static int LogitsOf(ColumnHead head) => head.Kind == HeadKind.Softmax ? head.Levels
        : head.Atoms.Length > 0 ? head.Atoms.Length + 1 : 0;
}
