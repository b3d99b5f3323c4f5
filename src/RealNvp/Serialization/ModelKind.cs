using System.Text.Json.Serialization.Metadata;

namespace RealNvp;

/// <summary>A class of models that files may name. Nothing else is ever built from one.</summary>
/// <param name="Name">What a file calls it.</param>
/// <param name="Model">The class.</param>
/// <param name="Options">The record that describes it, or the one that such records derive from.</param>
/// <param name="Read">Reads the record from the JSON of a file of a format version, and checks it; the last argument hears of
/// members that mean nothing for it.</param>
/// <param name="Create">Builds one.</param>
internal sealed record ModelKind(string Name, Type Model, Type Options, Func<string, int, Action<string>?, IModelRecord> Read,
    Func<IModelRecord, Flow> Create)
{
    private static readonly Lock adding = new();
    private static readonly List<Func<IReadOnlyList<ModelKind>>> library = [];

    // replaced as a whole, so that readers need no lock
    private static volatile IReadOnlyList<ModelKind>? all;

    private static IReadOnlyList<ModelKind> All
    {
        get
        {
            if (all is { } known) return known;
            lock (adding) return all ??= [.. library.SelectMany(kinds => kinds())];
        }
    }

    /// <summary>The names of all.</summary>
    public static IEnumerable<string> Names => All.Select(k => k.Name).Order(StringComparer.Ordinal);

    /// <summary>The class that a file names; null for an unknown one.</summary>
    public static ModelKind? Find(string name) => All.FirstOrDefault(k => k.Name == name);

    /// <summary>The class that belongs to a record.</summary>
    public static ModelKind Of(IModelRecord options) => All.FirstOrDefault(k => k.Options == options.GetType())
        ?? All.FirstOrDefault(k => k.Options.IsAbstract && k.Options.IsInstanceOfType(options))
        ?? throw new InvalidOperationException(
            $"No model is registered for {options.GetType().Name}. Derive one from FlowModel<TModel, TOptions>, and call its " +
            $"Register once, before.");

    /// <summary>Says what gives classes of the library, which is asked at the first need. Called when the assembly is loaded.</summary>
    public static void AddLibrary(Func<IReadOnlyList<ModelKind>> kinds)
    {
        lock (adding) library.Add(kinds);
    }

    /// <summary>Adds a class; the same one again changes nothing.</summary>
    /// <param name="kind">The class.</param>
    /// <param name="resolver">What knows how its record is written; null for reflection.</param>
    public static void Add(ModelKind kind, IJsonTypeInfoResolver? resolver)
    {
        lock (adding)
        {
            if (All.FirstOrDefault(k => k.Name == kind.Name) is { } named)
            {
                if (named.Model == kind.Model && named.Options == kind.Options) return;
                throw new ArgumentException(
                    $"A model with the name {kind.Name} is registered already, {named.Model.FullName}. Files name models by their class, " +
                    $"so give yours another name.");
            }
            if (All.FirstOrDefault(k => k.Options == kind.Options) is { } other)
                throw new ArgumentException(
                    $"{kind.Options.Name} describes {other.Name}, which is registered already. A record belongs to one class: derive " +
                    $"another record.");
            FileJson.Add(() => resolver ?? new DefaultJsonTypeInfoResolver());
            all = [.. All, kind];
        }
    }
}
