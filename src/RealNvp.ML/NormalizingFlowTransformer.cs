using Microsoft.ML;
using Microsoft.ML.Data;
using RealNvp.ML.Scoring;

namespace RealNvp.ML;

/// <summary>Adds the columns <c>LogDensity</c>, <c>Score</c> and, of a detector, <c>PredictedLabel</c>.</summary>
/// <remarks>
/// <para><see cref="Transform"/> scores rows in batches with the flows themselves. <c>mlContext.Model.Save</c> writes a graph of ONNX and
/// transformers of ML.NET, which <c>mlContext.Model.Load</c> reads without this package and without TorchSharp; a
/// <c>PredictionEngine</c> runs that graph too. Both agree to some units in the last places of <see cref="float"/>.</para>
/// <para>A row with NaN or infinity gets NaN as score and log-density, and true as label: nothing says that it is ordinary. A score that is
/// infinite is written as the largest <see cref="float"/>.</para>
/// <para>All methods but <see cref="Dispose"/> are safe for several threads.</para>
/// </remarks>
public sealed class NormalizingFlowTransformer : ITransformer, IDisposable
{
    private readonly RowScorer scorer;
    private readonly IDisposable? owned;
    private readonly Lazy<TransformerChain<ITransformer>> saved;
    private volatile bool disposed;

    internal NormalizingFlowTransformer(RowScorer scorer, string feature, IDisposable? owned)
    {
        (this.scorer, FeatureColumnName, this.owned) = (scorer, feature, owned);
        saved = SavedChain.Of(scorer, feature);
    }

    /// <summary>The column of features.</summary>
    public string FeatureColumnName { get; }

    /// <summary>The detector; null if the transformer was made of a flow.</summary>
    public AnomalyDetector? Detector => scorer.Detector;

    /// <summary>The lowest score with a <c>PredictedLabel</c> of true; NaN if no score has one; null if the transformer was made of a
    /// flow.</summary>
    public float? Threshold => scorer.Threshold;

    /// <summary>The share of ordinary rows that are called anomalies; null if the transformer was made of a flow.</summary>
    public double? FalseAlarms => scorer.FalseAlarms;

    /// <summary>True: one row can be scored at a time.</summary>
    public bool IsRowToRowMapper => true;

    /// <summary>The columns of a table behind the transformer.</summary>
    /// <param name="inputSchema">Those before.</param>
    /// <exception cref="ArgumentException">The column of features is missing or of another type.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        FeatureColumn.Of(inputSchema, FeatureColumnName).Require(scorer.Features);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        foreach (var (name, type) in scorer.Outputs) builder.AddColumn(name, type);
        return builder.ToSchema();
    }

    /// <summary>The rows with their scores, computed in batches as they are read.</summary>
    /// <param name="input">A table with the column of features.</param>
    /// <remarks>The table is read twice at once. One whose rows are others at each reading cannot be scored: put
    /// <c>mlContext.Data.Cache</c> before it.</remarks>
    /// <exception cref="ArgumentException">The column of features is missing or of another type.</exception>
    /// <exception cref="ObjectDisposedException">The transformer is disposed.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(disposed, this);
        return new ScoredView(scorer, GetOutputSchema(input.Schema), input, input.Schema[FeatureColumnName]);
    }

    /// <summary>What a <c>PredictionEngine</c> runs: the graph of ONNX.</summary>
    /// <param name="inputSchema">The columns of a row.</param>
    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        GetOutputSchema(inputSchema);
        return ((ITransformer)saved.Value).GetRowToRowMapper(inputSchema);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ((ICanSaveModel)saved.Value).Save(ctx);
    }

    /// <summary>Frees the graph, and the flows if the trainer made them.</summary>
    public void Dispose()
    {
        disposed = true;
        if (saved.IsValueCreated) saved.Value.Dispose();
        owned?.Dispose();
    }
}
