using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A flow that was built from a record of options, so that a file can hold all
/// of it: <see cref="Save(string)"/> and <see cref="Load(string, Device)"/>.</summary>
/// <remarks>A model is in training mode when it is new; <c>eval()</c> makes it
/// safe for several threads. One from a file is in evaluation mode.</remarks>
public abstract partial class FlowModel : Flow, ITrainingDefaults
{
    private protected FlowModel(string name, ModelOptions options, long? seed) : this(name, options, Parts(options, seed)) { }

    private protected FlowModel(string name, ModelOptions options, FlowParts parts)
        : base(name, options.Shape, parts.Bijection, parts.BaseDensity, parts.ContextEncoder) { }

    /// <summary>What the model was built from; each class also has it as <c>Options</c>, in its own type.</summary>
    public abstract ModelOptions ModelOptions { get; }

    /// <summary>What you should know about a model from a file: rules for options that are
    /// newer than the file, and that it does not keep. Empty for any other model.</summary>
    /// <remarks><see cref="TrainingResult.Warnings"/> and <see cref="Evaluation.Warnings"/> repeat them.</remarks>
    public IReadOnlyList<string> Warnings => Ignored.Count == 0 ? ModelOptions.Warnings : [.. ModelOptions.Warnings, .. Ignored];

    internal override IReadOnlyList<string> FileWarnings => Warnings;

    private protected override string? FileOptions => ModelOptions.ToJson();

    TrainingOptions ITrainingDefaults.TrainingDefaults() => ModelOptions.TrainingDefaults();

    /// <summary>The standardization at the start of the model, or null if there is none. The trainer fits it.</summary>
    public Standardization? Standardization =>
        (Bijection as Chain)?.Layers.Select(l => l is SubsetLayer some ? some.Bijection : l).OfType<Standardization>().FirstOrDefault();

    /// <summary>Writes the model to one self-describing file: options and
    /// weights, as safetensors. The file is replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.safetensors</c>. An older one stays whole until the new one is complete.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The model or a part of it is disposed; a file that is there stays as it is.</exception>
    public void Save(string path) => SaveState(new SafeTensorsTarget(path));

    /// <summary>Writes the model to a stream: the bytes that <see cref="Save(string)"/> gives a file.</summary>
    /// <param name="stream">Where to write, such as a blob storage or an entry of a
    /// zip file; it need not be seekable, and is flushed and left open.</param>
    /// <exception cref="ArgumentException">The stream is closed or cannot be written. Nothing was written.</exception>
    /// <exception cref="ObjectDisposedException">The model or a part of it is disposed. Nothing was written.</exception>
    public void Save(Stream stream) => SaveState(new SafeTensorsTarget(stream));

    /// <summary>Reads a model of any kind that <c>Save</c> or a <see cref="Trainer"/>
    /// wrote; nothing else is needed. It comes in evaluation mode.</summary>
    /// <remarks>A training checkpoint gives the weights that validated best, else the averaged ones, else the last ones.</remarks>
    /// <param name="path">The file.</param>
    /// <param name="device">Where to put the model; null for the CPU.</param>
    /// <returns>The model, whose class the file names. The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or describes a model
    /// that does not fit its weights. Nothing large was allocated.</exception>
    public static FlowModel Load(string path, Device? device = null) => Read<FlowModel>(path, device);

    /// <summary>Reads a model from a stream, such as an embedded resource, a blob or an
    /// entry of a zip file, as <see cref="Load(string, Device)"/> from a file.</summary>
    /// <param name="stream">Stands at the first byte of the model. It need not be seekable,
    /// is read up to the model's last byte and no further, and is left open.</param>
    /// <param name="device">Where to put the model; null for the CPU.</param>
    /// <returns>The model, whose class the data name. The caller disposes it.</returns>
    /// <exception cref="InvalidDataException">The data are damaged or cut off, or describe
    /// a model that does not fit its weights. Nothing large was allocated.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static FlowModel Load(Stream stream, Device? device = null) => Read<FlowModel>(stream, device);

    /// <summary>Reads a model that must be of one class.</summary>
    /// <inheritdoc cref="Load(string, Device)"/>
    /// <exception cref="InvalidDataException">The file is damaged, or holds a model of another class.</exception>
    public static T Load<T>(string path, Device? device = null) where T : FlowModel => Read<T>(path, device);

    /// <summary>Reads a model that must be of one class from a stream.</summary>
    /// <inheritdoc cref="Load(Stream, Device)"/>
    /// <exception cref="InvalidDataException">The data are damaged or cut off, or hold a model of another class.</exception>
    public static T Load<T>(Stream stream, Device? device = null) where T : FlowModel => Read<T>(stream, device);

    private protected static T Read<T>(string path, Device? device) where T : FlowModel =>
        ModelFile.LoadModel<T>(() => SafeTensorsReader.Open(path), device);

    private protected static T Read<T>(Stream stream, Device? device) where T : FlowModel =>
        ModelFile.LoadModel<T>(() => SafeTensorsReader.Of(stream), device);

    /// <summary>The shapes of the parts of a latent: one a scale for images, one in all for vectors.</summary>
    public IReadOnlyList<EventShape> LatentShapes => Scales?.LatentShapes ?? [LatentShape];

    /// <summary>Parts a latent (N, D) by scale, coarse parts last. The caller disposes the parts; the latent stays.</summary>
    public Tensor[] SplitLatent(Tensor z)
    {
        if (Scales is { } scales) return scales.Split(z);
        Check.Batch(z, nameof(z), $"{GetName()}.{nameof(SplitLatent)}", LatentShape);
        return [z.alias()];
    }

    /// <summary>Joins the parts of a latent into one (N, D). The caller disposes it; the parts stay.</summary>
    public Tensor JoinLatent(params IReadOnlyList<Tensor> parts)
    {
        if (Scales is { } scales) return scales.Join(parts);
        Check.Items(parts, nameof(parts), "Part");
        foreach (var part in parts) Check.Batch(part, nameof(parts), $"{GetName()}.{nameof(JoinLatent)}", LatentShape);
        return parts.Count == 1 ? parts[0].alias()
            : throw new ArgumentException($"The latent of a vector has 1 part; got {parts.Count}.", nameof(parts));
    }

    /// <summary>
    /// Interpolates between four examples on the sphere of their latents (Real NVP, section 4.1, equation 19):
    /// z = cos φ (cos φ' z₁ + sin φ' z₂) + sin φ (cos φ' z₃ + sin φ' z₄).
    /// </summary>
    /// <param name="x">(4, ...): the corners top left, top right, bottom left, bottom right of the grid.</param>
    /// <param name="steps">The number K of rows and of columns; at least 2.</param>
    /// <param name="maxAngle">φ and φ' go from 0 to this; π/2 has the four examples in the corners.</param>
    /// <param name="context">
    /// For a conditional model: (1, C), one context for all, or (4, C), one of each example. Four are mixed with the squares of the
    /// weights above, which sum to 1.
    /// </param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <returns>(K, K, ...): φ by row, φ' by column. The caller disposes it. Without gradients.</returns>
    public Tensor Interpolate(Tensor x, int steps = 8, double maxAngle = Math.PI / 2, Tensor? context = null, long? seed = null)
    {
        var owner = $"{GetName()}.{nameof(Interpolate)}";
        Check.Batch(x, nameof(x), owner, InputShape);
        if (x.shape[0] != 4) throw new ArgumentException($"{nameof(Interpolate)} takes 4 examples; got {x.shape[0]}.", nameof(x));
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 2);
        CheckContext(context, context is { } c && c.dim() == 2 && c.shape[0] == 4 ? 4 : 1, owner);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var z = EncodeFor(x, context?.expand(4, -1), seed, owner, Passes.One);
        var angles = linspace(0, maxAngle, steps, dtype: z.dtype, device: z.device);
        var (cos, sin) = (angles.cos(), angles.sin());
        var (rowCos, rowSin) = (cos.reshape(steps, 1).expand(-1, steps), sin.reshape(steps, 1).expand(-1, steps));
        var (columnCos, columnSin) = (cos.reshape(1, steps).expand(steps, -1), sin.reshape(1, steps).expand(steps, -1));
        var weights = stack([rowCos.mul(columnCos), rowCos.mul(columnSin), rowSin.mul(columnCos), rowSin.mul(columnSin)], 2).reshape(-1, 4);
        var contexts = context?.shape[0] == 4 ? weights.pow(Scalars.Two).mm(context) : context?.expand(steps * steps, -1);
        var mixed = weights.mm(z.flatten(1));
        if (BaseDensity.IsOnSphere) mixed = mixed.div(UnitLength.Of(mixed));
        var images = DecodeFor(mixed.reshape(LatentShape.WithBatch(steps * steps)), contexts, owner, DefaultPasses);
        return scope.MoveToOuter(images.reshape(InputShape.WithBatch(steps, steps)));
    }

    /// <summary>Validates the options of a model before any of it is made.</summary>
    private protected static T Checked<T>(T options, string name) where T : ModelOptions
    {
        ArgumentNullException.ThrowIfNull(options);
        options.CheckRules(isNew: !Weights.IsLimited);
        TorchBackend.Checked(name);
        return options;
    }

    /// <summary>Makes the parts of a model, with initial weights from a generator of their own if there is a seed.</summary>
    private static FlowParts Parts(ModelOptions options, long? seed)
    {
        using var _ = Weights.Seed(seed);
        return options.Build()
            ?? throw new InvalidOperationException(
            $"{options.GetType().Name}.{nameof(ModelOptions.Build)} returned null. Return the parts of the model.");
    }

    private MultiScaleLayer? Scales => (Bijection as Chain)?.Layers.OfType<MultiScaleLayer>().FirstOrDefault();
}
