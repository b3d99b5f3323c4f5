namespace RealNvp.Kernels;

/// <summary>The numbers of one Adam step for one parameter.</summary>
internal readonly record struct AdamStep(
    double Beta1, double Beta2, double Epsilon, double WeightDecay, double GradientScale, double StepSize, double RootCorrection2);

/// <summary>The memory of one parameter during one step, all of the same dtype (float32 or float64) and length.</summary>
internal unsafe struct AdamBlock
{
    public bool IsDouble;
    public int Length;
    public void* Parameter, Gradient, Average, Square;

    /// <summary>The moving average of the parameter, or null if there is none.</summary>
    public void* WeightAverage;

    /// <summary>The share of the new value in the moving average.</summary>
    public double Share;

    public AdamStep Step;
}
