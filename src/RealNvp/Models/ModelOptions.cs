using RealNvp.Internal;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>What all records that describe a <see cref="FlowModel"/> have. A checkpoint carries the record as JSON.</summary>
public abstract partial record ModelOptions : ITrainingDefaults, IModelRecord
{
    /// <summary>The shape of one example: [D] or [C, H, W].</summary>
    public required EventShape Shape { get; init; }

    /// <summary>The number of context features; 0 for a model without context.</summary>
    public long ContextSize { get; init; }

    /// <summary>The number of values of an integer in the data, 256 for bytes,
    /// which are then dequantized to [0, 1); 0 for continuous data.</summary>
    public int Levels { get; init; }

    /// <summary>The density of the latents.</summary>
    public BaseDensityKind Base { get; init; } = BaseDensityKind.StandardNormal;

    /// <summary><see cref="BaseDensityKind.GaussianMixture"/>: the number of normals, 1 to 4096.</summary>
    public int BaseComponents { get; init; } = 8;

    /// <summary><see cref="BaseDensityKind.StudentT"/>: the degrees of freedom at first, in 0.5 ... 10⁴; they are learned.</summary>
    public double BaseDegreesOfFreedom { get; init; } = 5;

    /// <summary>
    /// Vectors: c &gt; 0 lets the networks see x / √(1 + (x/c)²), which stays within ±c, in place of each number x,
    /// also of a context. So shifts and log-scales far out stay what they are near the data, and the model is affine in
    /// a feature that goes to infinity; the layers are as exact as without. In units of what the networks get: it goes
    /// together with <c>Standardize</c>, or with data that are standardized already. Null lets them see x itself.
    /// </summary>
    public double? InputLimit { get; init; }

    /// <summary>
    /// Centres and scales a numeric context with numbers that the trainer takes from the training
    /// data (<see cref="ContextStandardization"/>), so that a year is as good a context as a number
    /// near 0. The presets of tables have it. Nothing without <see cref="ContextSize"/>.
    /// </summary>
    public bool StandardizeContext { get; init; }

    /// <summary>What <c>Standardize</c> and <see cref="StandardizeContext"/> take from data:
    /// <see cref="FeatureScaling.Quantiles"/> lets values far out not count.</summary>
    public FeatureScaling Scaling { get; init; }

    /// <summary>
    /// Vectors: c &gt; 0 puts an <see cref="AsinhTransform"/> behind the standardization, which draws in what lies further out than c
    /// scales, for data with heavy tails or values far out; 3 goes well with <see cref="FeatureScaling.Quantiles"/>. Null for none.
    /// </summary>
    public double? TailThreshold { get; init; }

    /// <summary>True for a model of images (C, H, W), false for one of vectors (D).</summary>
    [JsonIgnore]
    public bool IsImage => Shape.Count == 3;

    /// <summary>Throws if a value is out of range or two values do not go together.</summary>
    /// <exception cref="ArgumentException">The message names the property, its value and what is allowed.</exception>
    public void Validate() => CheckRules(isNew: true);

    /// <summary>Validates options that were just chosen, or those of a file, which may be older than a rule.</summary>
    internal void CheckRules(bool isNew)
    {
        if (isNew && NewerFaults().FirstOrDefault() is { } fault) throw new ArgumentException(fault);
        CheckRules();
    }

    /// <summary>Throws if a value is out of range or two do not go together, by <see cref="Require"/>
    /// and <see cref="Range"/>. Call the base method first. Files are held to it too.</summary>
    /// <exception cref="ArgumentException">A rule does not hold.</exception>
    protected virtual void CheckRules()
    {
        Require(Shape.Count is 1 or 3 && Shape.IsFixed, nameof(Shape), Shape, "must be [D] or [C, H, W] with all sizes known");
        Require(Shape.All(s => s <= 1 << 20) && Shape.NumElements <= 1 << 22, nameof(Shape), Shape, "must have at most 4,194,304 elements");
        Range(ContextSize, 0, 1 << 20, nameof(ContextSize));
        Require(Levels == 0 || Levels is >= 2 and <= 1 << 24, nameof(Levels), Levels, "must be 0 (continuous data) or in 2 ... 16,777,216");
        Require(Enum.IsDefined(Base), nameof(Base), Base, "must be a defined value");
        Range(BaseComponents, 1, 4096, nameof(BaseComponents));
        Require(BaseDegreesOfFreedom is >= 0.5 and <= 1e4, nameof(BaseDegreesOfFreedom), BaseDegreesOfFreedom, "must be in 0.5 ... 10000");
        Require(InputLimit is null || Ranges.InputLimit.HoldsInFile(InputLimit.Value), nameof(InputLimit), InputLimit,
            Ranges.InputLimit.Rule);
        Require(Enum.IsDefined(Scaling), nameof(Scaling), Scaling, "must be a defined value");
        Require(TailThreshold is null || Ranges.TailThreshold.HoldsInFile(TailThreshold.Value), nameof(TailThreshold), TailThreshold,
            Ranges.TailThreshold.Rule);
        Require(TailThreshold is null || (!IsImage && Levels == 0), nameof(TailThreshold), TailThreshold,
            "is for vectors of continuous data only");
        Require(InputLimit is null || !IsImage, nameof(InputLimit), InputLimit, "is for vectors only");
        Require(Base != BaseDensityKind.UniformBox || (BoxBound is not null && TailThreshold is null), nameof(Base), Base,
            "needs a map of the box onto itself: splines without Standardize, TailThreshold, Linear or FlowBatchNorm, in " +
                "SplineFlowModel, " +
                "MafModel or IafModel");
        Require(Base != BaseDensityKind.UniformSphere || (KeepsLength && !IsImage && Levels == 0 && TailThreshold is null && Shape[0] >= 2),
            nameof(Base), Base, "needs vectors of at least 2 numbers and a map that keeps their length: FfjordModel without Standardize, " +
                "TailThreshold and Levels, such as FfjordOptions.Sphere(3)");
    }

    /// <summary>
    /// Rules that are newer than the first files, and that these options break, as sentences. A new model must keep
    /// them; one from a file was good enough for whoever trained it, so it loads, and the sentences are its
    /// warnings. A rule that is made stricter goes here, and its old range stays in <see cref="CheckRules()"/>.
    /// </summary>
    private protected virtual IEnumerable<string> NewerFaults() =>
        [.. Newer(Ranges.InputLimit, InputLimit, nameof(InputLimit)), .. Newer(Ranges.TailThreshold, TailThreshold, nameof(TailThreshold))];

    /// <summary>Makes the layers, the base density and the encoder of a model with new weights. The record is valid.</summary>
    /// <remarks>
    /// The library's own networks and layers take their initial weights from the model's seed;
    /// modules of TorchSharp draw from torch's generator. A file that names this record is built by
    /// it before its weights are read, so let <see cref="CheckRules()"/> hold every size in bounds.
    /// </remarks>
    protected internal abstract FlowParts Build();

    /// <summary>Makes the model of these options with new weights.</summary>
    /// <param name="seed">Makes the initial weights repeatable; null draws from torch's generator.</param>
    /// <returns>The model, of the class that belongs to the record. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="InvalidOperationException">No class is registered for a record of your own.</exception>
    public FlowModel NewModel(long? seed = null)
    {
        using var _ = Internal.Weights.Seed(seed);
        return (FlowModel)ModelKind.Of(this).Create(this);
    }

    /// <summary>How such a model is trained if nothing else is said: by itself as suits
    /// examples of its shape, <see cref="TrainingOptions.For(EventShape)"/>.</summary>
    protected internal virtual TrainingOptions TrainingDefaults() => TrainingOptions.For(Shape);

    TrainingOptions ITrainingDefaults.TrainingDefaults() => TrainingDefaults();

    /// <summary>What the presets of tables share: latents with heavy tails and networks
    /// that see no more than ±5 standard deviations. docs/presets.md shows why.</summary>
    private protected static T ForTables<T>(T options) where T : ModelOptions =>
        options with { Base = BaseDensityKind.StudentT, InputLimit = 5, StandardizeContext = true };

    /// <summary>The shape of a preset for vectors.</summary>
    private protected static EventShape Vector(long features) => features is >= 1 and <= int.MaxValue
        ? [features] : throw new ArgumentOutOfRangeException(nameof(features), features,
            "The number of features must be at least 1: the columns of the table, without the context.");

    /// <summary>The number of rows that a preset is for; where it is not known, one in the middle.</summary>
    private protected static long RowsOf(long? rows)
    {
        if (rows < 1)
            throw new ArgumentOutOfRangeException(nameof(rows), rows,
                "The number of rows to train on must be at least 1, or null where it is not known.");
        return rows ?? 20_000;
    }

    /// <summary>The b where the bijection maps the box ±b onto itself, in each element; null if it maps no box.</summary>
    protected virtual double? BoxBound => null;

    /// <summary>Whether the bijection keeps the lengths of vectors if the base density is on a sphere. False unless overridden.</summary>
    protected virtual bool KeepsLength => false;

    /// <summary>What splines do at their edges: with a box as base they map it onto itself.</summary>
    internal SplineTails Tails => Base == BaseDensityKind.UniformBox ? SplineTails.Box : SplineTails.Linear;

    /// <summary>What standardizes contexts; null for none.</summary>
    protected ContextEncoder? NewContextEncoder() =>
        StandardizeContext && ContextSize > 0 ? new ContextStandardization(ContextSize, Scaling) : null;

    /// <summary>The layers that take the scales of data, and their tails, away.</summary>
    internal IEnumerable<Bijection> ScalingLayers(bool standardize) => ScalingLayers(standardize, Shape);

    /// <summary>The same for some of the features.</summary>
    internal IEnumerable<Bijection> ScalingLayers(bool standardize, EventShape shape)
    {
        if (standardize) yield return new Standardization(shape, Scaling);
        if (TailThreshold is { } threshold) yield return new AsinhTransform(threshold, shape);
    }

    /// <summary>Makes the density of the latents, with new weights.</summary>
    protected internal Density NewBase() => NewBase(IsImage ? [Shape.NumElements] : Shape);

    /// <summary>Makes the density of latents of a shape, or of some features of them.</summary>
    protected internal Density NewBase(EventShape latent)
    {
        return Base switch
        {
            BaseDensityKind.StandardLogistic => new StandardLogistic(latent),
            BaseDensityKind.StudentT => new StudentT(latent, BaseDegreesOfFreedom),
            BaseDensityKind.DiagonalNormal => new DiagonalNormal(latent, ContextSize, inputLimit: InputLimit),
            BaseDensityKind.GaussianMixture => new GaussianMixture(latent, BaseComponents, ContextSize, inputLimit: InputLimit),
            BaseDensityKind.UniformBox => new UniformBox(latent, -BoxBound!.Value, BoxBound!.Value),
            BaseDensityKind.ResampledNormal => new ResampledNormal(latent),
            BaseDensityKind.UniformSphere => new UniformSphere(latent),
            _ => new StandardNormal(latent),
        };
    }

    /// <summary>Throws if a number is not in a range; the message names the record, the property and the range.</summary>
    protected void Range(long value, long least, long most, string name) =>
        Require(value >= least && value <= most, name, value, $"must be in {least} ... {most}");

    /// <summary>Checks that sizes of images can be halved often enough, and that enough
    /// pixels are left; else says how to crop, to pad, or how many scales fit.</summary>
    /// <param name="scales">The number of scales.</param>
    /// <param name="halvings">How often that many scales halve the image.</param>
    /// <param name="pixels">The least number of pixels of the last scale.</param>
    private protected void RequireScales(int scales, Func<int, int> halvings, long pixels)
    {
        var (height, width) = (Shape[1], Shape[2]);
        bool Divides(int s) => height % (1L << halvings(s)) == 0 && width % (1L << halvings(s)) == 0;
        bool Fits(int s) => Divides(s) && (height >> halvings(s)) * (width >> halvings(s)) >= pixels;
        if (Fits(scales)) return;
        var most = Enumerable.Range(1, 16).LastOrDefault(Fits);
        var unit = 1L << halvings(scales);
        var fewer = most > 0 && most < scales ? $", or use {nameof(RealNvpImageOptions.Scales)} = {most}" : "";
        Require(Divides(scales), nameof(RealNvpImageOptions.Scales), scales,
            $"does not fit images of {height}×{width}: height and width must be divisible by {unit}. " +
            $"{BlockShapes.Fitting(height, width, unit)}{fewer}");
        Require(false, nameof(RealNvpImageOptions.Scales), scales,
            $"is too large for images of {height}×{width}: the last scale needs at least {pixels} pixels. " +
            $"{(most > 0 ? $"Use {nameof(RealNvpImageOptions.Scales)} = {most}" : "Pad the images")}");
    }

    private protected IEnumerable<string> Newer(NumberRange range, double? value, string name) =>
        Newer(value is not { } number || range.Holds(number), value, name, range.Rule);

    private protected IEnumerable<string> Newer(bool holds, object? value, string name, string rule) =>
        holds ? [] : [Fault(name, value, rule)];

    /// <summary>Throws if <see cref="Shape"/> is not that of a vector.</summary>
    protected void RequireVector() => Require(!IsImage && Shape[0] >= 1, nameof(Shape), Shape, "must be [D]: this model is for vectors");

    /// <summary>What couplings of vectors need.</summary>
    private protected void RequirePair()
    {
        RequireVector();
        Require(Shape[0] >= 2, nameof(Shape), Shape, "must have at least 2 features: a coupling keeps one and transforms another");
    }

    private protected void RequireContinuous(bool standardize) =>
        Require(!standardize || Levels == 0, "Standardize", standardize, "does not go together with Levels");

    /// <summary>The layers that a model of vectors begins with.</summary>
    protected internal List<Bijection> Preprocessing(bool standardize)
    {
        var layers = new List<Bijection>();
        if (Levels > 0) layers.Add(new UniformDequantization(Levels, Shape));
        layers.AddRange(ScalingLayers(standardize));
        return layers;
    }

    /// <summary>Throws if <see cref="Shape"/> is not that of an image.</summary>
    protected void RequireImage() => Require(IsImage, nameof(Shape), Shape, "must be [C, H, W]: this model is for images");

    /// <summary>Throws if a rule does not hold; the message names the record,
    /// the property, the rule, such as "must be odd", and the value.</summary>
    /// <exception cref="ArgumentException">It does not hold.</exception>
    protected void Require(bool holds, string name, object? value, string rule)
    {
        if (!holds) throw new ArgumentException(Fault(name, value, rule), name);
    }

    private string Fault(string name, object? value, string rule) =>
        FormattableString.Invariant($"{GetType().Name}.{name} {rule}; got {value ?? "null"}.");

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public sealed override string ToString() => Describing.RecordText.Of(GetType().Name, PrintMembers);
}
