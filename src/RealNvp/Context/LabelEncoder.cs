using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Turns class labels 0 ... K − 1 into one-hot vectors (N, K), or into learned vectors (N, C).</summary>
/// <remarks>State-dict key: <c>vectors</c> (K, C), where they are learned.</remarks>
public sealed partial class LabelEncoder : ContextEncoder
{
    private readonly TorchSharp.Modules.Parameter? vectors;

    /// <summary>Makes an encoder of labels.</summary>
    /// <param name="classes">K, the number of classes, at least 1.</param>
    /// <param name="size">C, the size of a learned vector for each class; null for one-hot vectors.</param>
    public LabelEncoder(long classes, long? size = null) : base(nameof(LabelEncoder), EventShape.Create(), size ?? classes)
    {
        Classes = Check.Positive(classes, nameof(classes), "The number of classes");
        if (size is { } c)
        {
            Weights.Pay((Int128)classes * c, 1);
            vectors = Weights.Parameter(Weights.Normal(classes, c));
        }
        RegisterComponents();
    }

    /// <summary>K, the number of classes.</summary>
    public long Classes { get; }

    /// <summary>Turns labels (N), whole numbers 0 ... K − 1 of an integer dtype, into vectors (N, C). The caller disposes them.</summary>
    public override Tensor forward(Tensor input)
    {
        CheckContext(input, null, $"{nameof(LabelEncoder)}.forward", values: true);
        using var scope = NewDisposeScope();
        var labels = input.to(int64);
        return scope.MoveToOuter(vectors is null ? nn.functional.one_hot(labels, Classes).to(get_default_dtype())
            : vectors.index_select(0, labels));
    }

    /// <inheritdoc/>
    protected override void CheckValues(Tensor context, string owner)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.is_floating_point() || context.is_complex() || context.dtype == ScalarType.Bool)
            throw new ArgumentException(
                $"{owner} expects labels of an integer dtype; got {context.dtype}. Convert them: context.to(torch.int64).",
                nameof(context));
        using var scope = NewDisposeScope();
        if (context.numel() == 0) return;
        var (least, most) = (context.min().to(int64).Fetch<long>(), context.max().to(int64).Fetch<long>());
        if (least < 0 || most >= Classes)
            throw new ArgumentException($"{owner} expects labels in 0 ... {Classes - 1}; got values in {least} ... {most}.",
                nameof(context));
    }
}
