namespace RealNvp;

/// <summary>Where the weights of all steps of a chain are, and where their gradients go; null if one is not wanted.</summary>
internal sealed unsafe class ChainWeights(int count)
{
    public readonly float*[] From = new float*[count], To = new float*[count];
    public readonly int[] Lengths = new int[count];
}
