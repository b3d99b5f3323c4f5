namespace RealNvp.Fitting;

/// <summary>The preset for a table of so many rows and columns: what did best in the mean on the four tables of docs/presets.md.</summary>
internal static class PresetChoice
{
    // up to here splines in couplings did best (6, 8 and 10 columns), and with 40 columns they were last
    private const long FewColumns = 16, FewRows = 2_000;

    /// <summary>The options.</summary>
    public static ModelOptions Of(long columns, long rows, long contextColumns) => columns switch
    {
        1 => MafOptions.SplineTabular(1, rows) with { ContextSize = contextColumns },
        <= FewColumns => SplineFlowOptions.Tabular(columns, rows) with { ContextSize = contextColumns },
        _ when rows < FewRows => MafOptions.Tabular(columns, rows) with { ContextSize = contextColumns },
        _ => MafOptions.SplineTabular(columns, rows) with { ContextSize = contextColumns },
    };
}
