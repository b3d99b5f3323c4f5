using RealNvp.Internal;
using TorchSharp;

namespace RealNvp;

/// <summary>The constants of the tensor path.</summary>
internal sealed class AdamScalars(AdamOptions options)
{
    public Scalar Beta1 { get; } = Scalars.Of(options.Beta1);
    public Scalar Rest1 { get; } = Scalars.Of(1 - options.Beta1);
    public Scalar Beta2 { get; } = Scalars.Of(options.Beta2);
    public Scalar Rest2 { get; } = Scalars.Of(1 - options.Beta2);
    public Scalar Epsilon { get; } = Scalars.Of(options.Epsilon);
}
