namespace RealNvp.Kernels;

/// <summary>What comes before a layer of a residual network.</summary>
internal enum ResidualActivation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>f(a) = a·σ(βa)·c.</summary>
    Swish,

    /// <summary>f(a) beside f(−a): twice as many outputs.</summary>
    SwishPair,

    /// <summary>a if it is positive, and eᵃ − 1 otherwise.</summary>
    Elu,
}

/// <summary>A layer of g, and what comes before it.</summary>
/// <param name="Activation">What comes before it.</param>
/// <param name="Factor">c of <see cref="ResidualActivation.Swish"/>.</param>
/// <param name="Inputs">The columns of the weight.</param>
/// <param name="Outputs">Its rows.</param>
internal readonly record struct ResidualStep(ResidualActivation Activation, double Factor, int Inputs, int Outputs)
{
    /// <summary>The numbers that the activation takes.</summary>
    public int Before => Activation == ResidualActivation.SwishPair ? Inputs / 2 : Inputs;

    /// <summary>Whether there is a β.</summary>
    public bool HasBeta => Activation is ResidualActivation.Swish or ResidualActivation.SwishPair;
}

/// <summary>g of a residual block x + g(x): activations and linear layers by turns.</summary>
/// <param name="steps">The layers.</param>
/// <param name="limit">c, if g sees x / √(1 + (x/c)²) in place of x.</param>
internal sealed class ResidualProgram(ResidualStep[] steps, double? limit)
{
    public ResidualStep[] Steps => steps;

    public double? Limit => limit;

    /// <summary>D.</summary>
    public int Features => steps[0].Before;

    /// <summary>The most columns that a matrix on the way has.</summary>
    public int Widest { get; } = steps.Max(s => Math.Max(s.Inputs, s.Outputs));

    /// <summary>Multiply-adds of an example.</summary>
    public double Weights { get; } = steps.Sum(s => (double)s.Inputs * s.Outputs);

    /// <summary>Elements that a row, of a value or a tangent, leaves on the tape: the result of each product.</summary>
    public long TapeWidth { get; } = steps.Sum(s => (long)DenseProduct.Stride(s.Outputs));
}
