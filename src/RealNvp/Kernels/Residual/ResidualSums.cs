using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Where the gradients of a residual block go; null if one is not wanted.</summary>
/// <param name="layers">The number of layers.</param>
internal sealed unsafe class ResidualGradients<T>(int layers) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>(rows, D).</summary>
    public T* X;

    /// <summary>(rows, outputs of the first layer).</summary>
    public T* Shift;

    public T*[] Weights { get; } = new T*[layers];

    public T*[] Biases { get; } = new T*[layers];

    /// <summary>Those of β.</summary>
    public double[] Betas { get; } = new double[layers];

    /// <summary>How the weight came to be: null if it is the given one.</summary>
    public required SpectralPair?[] Norms { get; init; }
}

/// <summary>The largest singular value of a weight W with its vectors, and what becomes of W: W·min(1, c/σ).</summary>
/// <param name="Coefficient">c.</param>
/// <param name="Value">σ.</param>
/// <param name="Vectors">u and v, one behind the other, as numbers of the weight's dtype; empty if nobody wants
/// gradients. If σ came by a step from a left vector s, that is if it is |Wv| with v = Wᵀs/|Wᵀs|, then s and q
/// of <see cref="SpectralKernel.Run"/> behind them: the gradient of σ is uvᵀ, or uvᵀ + sqᵀ.</param>
internal sealed record SpectralPair(double Coefficient, double Value, Array Vectors)
{
    /// <summary>Whether the vectors are four, for a weight (outputs, inputs).</summary>
    public bool HasStep(long outputs, long inputs) => Vectors.LongLength > outputs + inputs;

    /// <summary>min(1, c/σ); NaN stays.</summary>
    public double Scale => Value <= Coefficient ? 1 : Coefficient / Value;
}

/// <summary>The gradients of weights in the memory of a share of the rows, and how the shares become one.</summary>
internal sealed unsafe class ResidualSums<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly ResidualProgram program;
    private readonly ResidualGradients<T> to;
    private readonly long[] weights, biases;
    private readonly double[] betas;

    public ResidualSums(ResidualProgram program, ResidualGradients<T> to, int shares)
    {
        (this.program, this.to, Shares) = (program, to, shares);
        var layers = program.Steps.Length;
        (weights, biases, betas) = (new long[layers], new long[layers], new double[layers * shares]);
        for (var i = 0; i < layers; i++)
        {
            var step = program.Steps[i];
            weights[i] = Size;
            if (to.Weights[i] != null) Size += (long)step.Outputs * DenseProduct.Stride(step.Inputs);
            biases[i] = Size;
            if (to.Biases[i] != null) Size += DenseProduct.Stride(step.Outputs);
        }
    }

    public int Shares { get; }

    /// <summary>The elements of a share.</summary>
    public long Size { get; }

    public long Weight(int layer) => weights[layer];

    public long Bias(int layer) => biases[layer];

    public ref double Beta(int share, int layer) => ref betas[(share * program.Steps.Length) + layer];

    /// <summary>Adds the shares in their order, and writes the gradients of the weights as they are learned.</summary>
    /// <param name="call">The call, with those weights.</param>
    /// <param name="sums">The shares.</param>
    public void Add(ResidualCall<T> call, T* sums) =>
        KernelThreads.For(program.Steps.Length, 8 * program.Weights * (Shares + 1), ResidualCall<T>.Grain, (start, end) =>
        {
            for (var i = (int)start; i < end; i++) Layer(call, i, sums);
        });

    private void Layer(ResidualCall<T> call, int layer, T* sums)
    {
        var step = program.Steps[layer];
        var stride = DenseProduct.Stride(step.Inputs);
        for (var share = 0; share < Shares; share++) to.Betas[layer] += Beta(share, layer);
        for (var share = 1; share < Shares; share++)
        {
            if (to.Weights[layer] != null)
                ResidualVectors.Add(sums + (share * Size) + weights[layer], 1, sums + weights[layer], (long)step.Outputs * stride);
            if (to.Biases[layer] != null) ResidualVectors.Add(sums + (share * Size) + biases[layer], 1, sums + biases[layer], step.Outputs);
        }
        if (to.Biases[layer] != null)
            new ReadOnlySpan<T>(sums + biases[layer], step.Outputs).CopyTo(new Span<T>(to.Biases[layer], step.Outputs));
        if (to.Weights[layer] == null) return;
        T* from = sums + weights[layer], result = to.Weights[layer];
        var norm = to.Norms[layer];
        // the weight that is used is W·c/σ
        var isScaled = norm is not null && norm.Scale != 1;
        var along = 0.0;
        for (var o = 0; isScaled && o < step.Outputs; o++)
            along += ResidualVectors.Dot(from + (o * stride), call.Weights[layer] + ((nint)o * step.Inputs), step.Inputs);
        for (var o = 0; o < step.Outputs; o++)
            ResidualVectors.Scale(from + (o * stride), isScaled ? norm!.Scale : 1, result + ((nint)o * step.Inputs), step.Inputs);
        if (!isScaled) return;
        var slope = -norm!.Scale / norm.Value * along;
        fixed (T* vectors = (T[])norm.Vectors)
        {
            AddProduct(result, vectors, step, slope);
            if (norm.HasStep(step.Outputs, step.Inputs)) AddProduct(result, vectors + step.Outputs + step.Inputs, step, slope);
        }
    }

    // adds the matrix of the products of two vectors, one behind the other
    private static void AddProduct(T* to, T* vectors, ResidualStep step, double factor)
    {
        for (var o = 0; o < step.Outputs; o++)
            ResidualVectors.Add(vectors + step.Outputs, factor * double.CreateTruncating(vectors[o]), to + ((nint)o * step.Inputs),
                step.Inputs);
    }
}
