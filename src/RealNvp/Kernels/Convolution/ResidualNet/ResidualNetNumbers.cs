namespace RealNvp.Kernels;

/// <summary>A convolution with weight normalization, or the gradients of one.</summary>
internal readonly unsafe struct NormedWeight(int outputs, int inputs, int taps, float* v, float* g, float* bias)
{
    /// <summary>(O, I, taps), (O) and (O), the last null if there is none.</summary>
    public float* V => v;
    public float* G => g;
    public float* Bias => bias;

    /// <summary>The numbers of a row.</summary>
    public int Each => inputs * taps;

    /// <summary>The weight (O, taps, I).</summary>
    public void Weight(float* to) => WeightNormRows.Run(v, g, to, outputs, inputs, taps);

    /// <summary>From the gradient of the weight those of the direction and the length.</summary>
    public void Backward(float* gradient, long outer, NormedWeight result) =>
        WeightNormRows.Backward(v, g, gradient, outer, 1, inputs, result.V, result.G, outputs, inputs, taps);
}

/// <summary>A batch normalization, or its gradients; all null if there is none.</summary>
internal readonly unsafe struct NormNumbers
{
    /// <summary>γ and β.</summary>
    public float* Weight { get; init; }
    public float* Shift { get; init; }

    /// <summary>μ and σ².</summary>
    public float* Mean { get; init; }
    public float* Variance { get; init; }

    /// <summary>ε.</summary>
    public double Eps { get; init; }

    /// <summary>The factors and terms of the channels.</summary>
    public float[] Line(int channels) => NormRows.Line(Mean, Variance, Weight, Shift, Eps, channels);
}

/// <summary>The weights of the network, or their gradients.</summary>
internal sealed class ResidualNetNumbers(int blocks)
{
    public NormedWeight First, Last;

    /// <summary>The 1×1 convolutions whose sum is the output: of what the first convolution gives, and of each block.</summary>
    public readonly NormedWeight[] Skips = new NormedWeight[blocks + 1];

    /// <summary>The first and the second convolution of each block.</summary>
    public readonly NormedWeight[] Inner = new NormedWeight[blocks], Outer = new NormedWeight[blocks];

    /// <summary>What is before each of them.</summary>
    public readonly NormNumbers[] InnerNorms = new NormNumbers[blocks], OuterNorms = new NormNumbers[blocks];

    public NormNumbers LastNorm;
}

/// <summary>Images (N, H, W, C) that the network computes.</summary>
/// <param name="shape">The sizes.</param>
/// <param name="memory">For all of them, or for three that are used again and again if none is kept.</param>
/// <param name="keeps">Whether all are kept, for gradients.</param>
internal readonly unsafe struct ResidualNetImages(ResidualNetShape shape, float* memory, bool keeps)
{
    /// <summary>The numbers of the memory.</summary>
    public static long Size(ResidualNetShape shape, bool keeps) => (keeps ? shape.Images : 3L) * shape.Image;

    /// <summary>The sum of the 1×1 convolutions.</summary>
    public float* Sum => memory;

    /// <summary>What goes into block i; behind the last block what comes out of it.</summary>
    public float* Into(int i) => memory + ((keeps ? 1 + (2 * i) : 1) * shape.Image);

    /// <summary>What is between the convolutions of block i.</summary>
    public float* Within(int i) => memory + ((keeps ? 2 + (2 * i) : 2) * shape.Image);
}
