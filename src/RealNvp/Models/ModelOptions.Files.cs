using RealNvp.Internal;
using System.Text.Json;

namespace RealNvp;

/// <content>The record in files, and as JSON.</content>
public abstract partial record ModelOptions
{
    /// <summary>The record as JSON.</summary>
    /// <exception cref="InvalidOperationException">No class is registered for a
    /// record of your own, so that nobody knows how to write it.</exception>
    public string ToJson()
    {
        ModelKind.Of(this);
        return FileJson.Write(this);
    }

    /// <summary>Reads a record that <see cref="ToJson"/> or somebody by hand wrote, and
    /// validates it: a member that lacks has the value that a new record has.</summary>
    /// <typeparam name="T">The record: one of the library's, or one whose model is registered.
    /// The shape says which one is meant by <see cref="RealNvpOptions"/>.</typeparam>
    /// <exception cref="InvalidDataException">The text is not such a record, or a value is out of range.</exception>
    public static T FromJson<T>(string text) where T : ModelOptions
    {
        ArgumentNullException.ThrowIfNull(text);
        return Checked(typeof(T).Name, () => FileJson.ReadPartial<T>(text, nameof(Shape)), isNew: true);
    }

    /// <summary>Reads the record that a file of a format version holds.</summary>
    /// <param name="type">The record, or the one from which both records of a class of models derive.</param>
    /// <param name="text">The JSON.</param>
    /// <param name="version">The format version of the file.</param>
    /// <param name="ignored">Hears of each member that means nothing for this model, and that had a value of its own.</param>
    /// <exception cref="InvalidDataException">It is no valid record of the
    /// type, or a member lacks that files of this version have.</exception>
    internal static ModelOptions FromFile(Type type, string text, int version, Action<string>? ignored = null) =>
        Checked(type.Name, () => (ModelOptions)FileJson.Read(type, text, version, ignored ?? (static _ => { })), isNew: false);

    /// <summary>How files know a class of models.</summary>
    internal static ModelKind Kind<TModel, TOptions>(Func<TOptions, TModel> create) where TModel : FlowModel
        where TOptions : ModelOptions =>
        new(typeof(TModel).Name, typeof(TModel), typeof(TOptions), (text, version, ignored) => FromFile(typeof(TOptions), text, version,
            ignored),
            options => create((TOptions)options));

    /// <summary>What a model with these options, which can only come from a file,
    /// should tell its user; nothing for one that could be built anew.</summary>
    internal IReadOnlyList<string> Warnings =>
        NewerFaults().Select(fault => $"The model comes from a file that is older than this rule: {fault}")
            .ToArray() is { Length: > 0 } some ? some : [];

    private static T Checked<T>(string name, Func<T> read, bool isNew) where T : ModelOptions
    {
        try
        {
            var options = read();
            options.CheckRules(isNew);
            return options;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException or OverflowException
            or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"This is no valid record of {name}: {FileText.Sentence(e.Message)}", e);
        }
    }
}
