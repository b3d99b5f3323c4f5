using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A model of one class, built from one kind of record. A model of your own is a record and one line:</summary>
/// <remarks>
/// <code>
/// public sealed record WaveOptions : ModelOptions
/// {
///     public int Layers { get; init; } = 4;
///     protected override FlowParts Build() => new(new Chain(...)) { BaseDensity = NewBase() };
/// }
/// public sealed class WaveModel(WaveOptions options, long? seed = null) : FlowModel&lt;WaveModel, WaveOptions&gt;(options, seed);
/// </code>
/// <para><see cref="Register"/> makes its files load like ours. (In another assembly
/// the override of <see cref="ModelOptions.Build"/> is <c>protected</c>.)</para>
/// </remarks>
/// <typeparam name="TModel">The class itself; its name is the kind that a file names.</typeparam>
/// <typeparam name="TOptions">The record that describes it.</typeparam>
public abstract class FlowModel<TModel, TOptions> : FlowModel
    where TModel : FlowModel<TModel, TOptions>
    where TOptions : ModelOptions
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build.</param>
    /// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
    /// default generator is left alone. Null draws from that generator.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
#pragma warning disable RS0022 // it is the door for models of users
    protected FlowModel(TOptions options, long? seed = null) : base(typeof(TModel).Name, Checked(options, typeof(TModel).Name), seed) =>
        Options = options;
#pragma warning restore RS0022

    // of parts that exist already
    private protected FlowModel(TOptions options, FlowParts parts) : base(typeof(TModel).Name, options, parts) => Options = options;

    /// <summary>What the model was built from.</summary>
    public TOptions Options { get; }

    /// <inheritdoc/>
    public sealed override ModelOptions ModelOptions => Options;

#pragma warning disable CA1000 // called by the class that derives: MafModel.Load(path)
    /// <summary>Reads a model of this class from a file.</summary>
    /// <inheritdoc cref="FlowModel.Load(string, Device)"/>
    /// <exception cref="InvalidDataException">The file is damaged, or holds a model of another class.</exception>
    public static new TModel Load(string path, Device? device = null) => Read<TModel>(path, device);

    /// <summary>Reads a model of this class from a stream.</summary>
    /// <inheritdoc cref="FlowModel.Load(Stream, Device)"/>
    /// <exception cref="InvalidDataException">The data are damaged or cut off, or hold a model of another class.</exception>
    public static new TModel Load(Stream stream, Device? device = null) => Read<TModel>(stream, device);

    /// <summary>Makes models of this class known, so that files of them load, once in a
    /// program before the first load or save. The library's own are known.</summary>
    /// <remarks>
    /// Nothing that is not registered is ever built from a file. Options that a file has and the record has not are refused; a
    /// member of your record that a file lacks takes the value that a new record has, unless it is <c>required</c>. The members
    /// of <see cref="ModelOptions"/> itself must be there. May be called from any thread, and again for the same class.
    /// </remarks>
    /// <param name="create">Builds a model: <c>options => new WaveModel(options)</c>.</param>
    /// <param name="json">
    /// How the record is written, from a <c>JsonSerializerContext</c> of yours: <c>WaveJson.Default.WaveOptions</c>.
    /// Null finds it out by reflection, which a program that was trimmed or compiled ahead of time has not.
    /// </param>
    /// <exception cref="ArgumentException">Another class has this name, or the record belongs to another class.</exception>
    /// <exception cref="InvalidOperationException"><paramref name="json"/> is null, and JSON by reflection is switched off.</exception>
    public static void Register(Func<TOptions, TModel> create, JsonTypeInfo<TOptions>? json = null)
    {
        ArgumentNullException.ThrowIfNull(create);
        if (json is null && !JsonSerializer.IsReflectionEnabledByDefault)
            throw new InvalidOperationException(
                $"JSON by reflection is switched off in this program. Give {nameof(Register)} the {nameof(JsonTypeInfo)} of " +
                $"{typeof(TOptions).Name} from a JsonSerializerContext.");
        ModelKind.Add(ModelOptions.Kind(create), json?.OriginatingResolver);
    }
#pragma warning restore CA1000
}
