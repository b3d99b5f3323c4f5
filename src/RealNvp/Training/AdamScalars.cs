using RealNvp.Internal;
using TorchSharp;

namespace RealNvp;

/// <summary>The constants of the tensor path, made once: a Scalar made in a step would wait for the finalizer.</summary>
internal sealed class AdamScalars(AdamOptions options) : IDisposable
{
    public Scalar Beta1 { get; } = Scalars.New(options.Beta1);
    public Scalar Rest1 { get; } = Scalars.New(1 - options.Beta1);
    public Scalar Beta2 { get; } = Scalars.New(options.Beta2);
    public Scalar Rest2 { get; } = Scalars.New(1 - options.Beta2);
    public Scalar Epsilon { get; } = Scalars.New(options.Epsilon);

    public void Dispose()
    {
        Beta1.Dispose();
        Rest1.Dispose();
        Beta2.Dispose();
        Rest2.Dispose();
        Epsilon.Dispose();
    }
}
