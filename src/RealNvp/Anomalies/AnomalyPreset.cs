namespace RealNvp.Anomalies;

/// <summary>The density that a detector takes by default: docs/anomalies.md has the tables that it was chosen on.</summary>
internal static class AnomalyPreset
{
    public static ModelOptions Of(long columns, long rows) => RealNvpOptions.Tabular(columns, rows);
}
