using System.Globalization;
using System.Text.Json;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>What should be known of a flow besides its weights. It is saved with them, and can
/// be read without building anything (<see cref="FlowModel.Describe(string, bool)"/>).</summary>
/// <remarks>A <see cref="Trainer"/> sets rows and score; names of columns come from <see cref="FitOptions"/> or
/// from you. There is no date: the same training gives the same bytes.</remarks>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record FlowInfo : IHtml
{
    private const int MostColumns = 1 << 20, LongestName = 1_000, LongestInfo = 1 << 22;

    /// <summary>The names of the columns of a vector, in order; null if they are not known.</summary>
    public IReadOnlyList<string>? Columns { get; init => field = Internal.Listed<string>.Of(value); }

    /// <summary>The names of the columns of a context; null if they are not known.</summary>
    public IReadOnlyList<string>? ContextColumns { get; init => field = Internal.Listed<string>.Of(value); }

    /// <summary>The number of examples that the flow was trained on; null if it is not known.</summary>
    public long? TrainingRows { get; init; }

    /// <summary>The number of examples that it was validated on; null for none.</summary>
    public long? HeldOutRows { get; init; }

    /// <summary>The mean of log p(x) in nats of these, by the weights that the training ended with; null without validation.</summary>
    public double? HeldOutLogProb { get; init; }

    /// <summary>What <see cref="HeldOutLogProb"/> is, such as a lower bound
    /// (<see cref="Flow.Likelihood"/>); null if it is not known, as in older files.</summary>
    public LikelihoodKind? HeldOutLikelihood { get; init; }

    /// <summary>A sentence of yours, such as where the data are from; at most 1,000 characters.</summary>
    public string? Note { get; init; }

    /// <summary>The same as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    public string ToHtml() => HtmlTable.Pairs(null, Rows());

    /// <summary>What is known, by names.</summary>
    internal IEnumerable<(string Name, string Value)> Rows()
    {
        var culture = CultureInfo.InvariantCulture;
        if (Columns is { } columns) yield return ("columns", Few(columns));
        if (ContextColumns is { } contexts) yield return ("context columns", Few(contexts));
        if (TrainingRows is { } rows) yield return ("trained on", string.Create(culture, $"{rows:N0} rows"));
        if (HeldOutLogProb is { } score)
            yield return ("held out", string.Create(culture,
                $"mean log p(x) {score:G6} nats{Words(HeldOutLikelihood)}") +
                (HeldOutRows is { } held ? string.Create(culture, $" of {held:N0} rows") : ""));
        if (Note is { } note) yield return ("note", note);

        static string Words(LikelihoodKind? kind) => kind switch
        {
            LikelihoodKind.LowerBound => ", a lower bound,",
            LikelihoodKind.Estimate => ", an estimate,",
            LikelihoodKind.Truncated => ", truncated,",
            LikelihoodKind.Numerical => ", solved numerically,",
            _ => "",
        };

        static string Few(IReadOnlyList<string> names) =>
            names.Count <= 20 ? string.Join(", ", names) : $"{string.Join(", ", names.Take(20))} and {names.Count - 20} more";
    }

    /// <summary>What a file says of itself; an empty record for a file from before there was one.</summary>
    /// <param name="metadata">The metadata of the file.</param>
    /// <param name="name">What messages call the file.</param>
    /// <param name="flow">The flow that it must fit; null for none.</param>
    internal static FlowInfo Of(IReadOnlyDictionary<string, string> metadata, string name, Flow? flow)
    {
        if (!metadata.TryGetValue(StateFile.InfoKey, out var text)) return new FlowInfo();
        try
        {
            if (text.Length > LongestInfo) throw new JsonException($"it has {text.Length} characters, {LongestInfo} at most are read");
            var info = FileJson.Read<FlowInfo>(text, StateFile.CurrentVersion);
            if (flow is null) info.Validate();
            else info.Validate(flow);
            return info;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException or InvalidOperationException
            or FormatException)
        {
            throw new InvalidDataException($"{name} is damaged: '{StateFile.InfoKey}' in its metadata cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Throws if something is out of range or does not fit a flow.</summary>
    internal void Validate(Flow flow) =>
        Validate(flow.InputShape, flow.ContextEncoder is null or ContextStandardization ? flow.ContextSize : null);

    /// <summary>Throws if something is out of range.</summary>
    internal void Validate() => Validate(null, null);

    private void Validate(EventShape? shape, long? contextSize)
    {
        Names(Columns, shape is { Count: 1 } vector ? vector[0] : null, nameof(Columns));
        Names(ContextColumns, contextSize > 0 ? contextSize : null, nameof(ContextColumns));
        Require(TrainingRows is null or >= 0, nameof(TrainingRows), "is not negative");
        Require(HeldOutRows is null or >= 0, nameof(HeldOutRows), "is not negative");
        Require(Note is null || Note.Length <= LongestName, nameof(Note), $"has at most {LongestName} characters");
        Require(Note is null || Internal.Check.IsText(Note), nameof(Note), "has half of a surrogate pair, which no file can hold");
    }

    private static void Names(IReadOnlyList<string>? names, long? count, string property)
    {
        if (names is null) return;
        Require(count is null || names.Count == count, property, $"has a name for each of the {count} column(s); got {names.Count}");
        Require(names.Count <= MostColumns && names.All(n => n is { Length: > 0 and <= LongestName }), property,
            $"has at most {MostColumns} names of 1 to {LongestName} characters");
        Require(names.All(Internal.Check.IsText), property, "has a name with half of a surrogate pair, which no file can hold");
    }

    private static void Require(bool holds, string property, string rule)
    {
        if (!holds) throw new ArgumentException($"{nameof(FlowInfo)}.{property} {rule}.", property);
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(FlowInfo), PrintMembers);
}
