namespace RealNvp.Kernels;

/// <summary>The numbers of an explicit Runge–Kutta method.</summary>
/// <param name="Nodes">cᵢ.</param>
/// <param name="Stages">aᵢⱼ, row i with i numbers.</param>
/// <param name="Weights">bⱼ.</param>
/// <param name="Error">bⱼ − b̂ⱼ; null for steps of one size. If it is not null, the last stage is f at the end of the step.</param>
internal sealed record OdeScheme(double[] Nodes, double[][] Stages, double[] Weights, double[]? Error)
{
    public int Count => Nodes.Length;
}
