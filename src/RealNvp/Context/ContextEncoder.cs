using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Turns contexts of any form, such as class labels or images, into the
/// feature vectors (N, C) that layers take. A <see cref="Flow"/> owns one.</summary>
/// <remarks>Derive from it for a network of yours, or use <see cref="NetworkEncoder"/>. It is trained with the flow.</remarks>
public abstract partial class ContextEncoder : nn.Module<Tensor, Tensor>, IDescribed
{
    /// <summary>Makes an encoder.</summary>
    /// <param name="name">The name that errors show.</param>
    /// <param name="contextShape">The shape of one context as the user gives it; an empty shape [] for a label.</param>
    /// <param name="size">C, the number of features that it gives.</param>
    protected ContextEncoder(string name, EventShape contextShape, long size) : base(TorchBackend.Checked(name))
    {
        ContextShape = contextShape;
        Size = Internal.Check.Positive(size, nameof(size), "The number of context features");
    }

    /// <summary>The shape of one context as the user gives it.</summary>
    public EventShape ContextShape { get; }

    /// <summary>C, the number of features that it gives.</summary>
    public long Size { get; }

    /// <summary>Checks the values of contexts whose shape is right; throws <see cref="ArgumentException"/> where they are not.</summary>
    protected virtual void CheckValues(Tensor context, string owner) { }

    /// <summary>The encoder as a tree of its parts, each with its class, shapes, properties and number
    /// of parameters; <see cref="IDescribed"/> lets a part say it in its own words.</summary>
    public override string ToString() => Describing.ModuleTree.Of(this);

    bool IDescribed.ShowsParts => true;

    (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given) => (ContextShape, EventShape.Create(Size));

    internal void CheckContext(Tensor? context, long? examples, string owner, bool values)
    {
        if (context is null)
            throw new ArgumentNullException(nameof(context),
                $"{owner} is conditional: it needs contexts of shape {Letters(examples is null)}.");
        Internal.Check.Tensor(context, nameof(context));
        Internal.Check.NotMeta(context, nameof(context));
        if (context.dim() == 0 || !ContextShape.Matches(context.shape.AsSpan(1)) || (examples is { } n && context.shape[0] != n))
            throw new ArgumentException(
                $"{owner} expects contexts of shape {Letters(examples is null)}{(examples is { } e ? $" with N = {e}" : "")}; got " +
                $"{EventShape.Format(context.shape)}.", nameof(context));
        if (values) CheckValues(context, owner);
    }

    private string Letters(bool each) => ContextShape.Count == 0 ? (each ? "(M,)" : "(N,)")
        : $"({(each ? "M" : "N")}, " +
        $"{string.Join(", ", ContextShape.Select(s => s == -1 ? "*" : s.ToString(System.Globalization.CultureInfo.InvariantCulture)))})";
}
