namespace RealNvp.Kernels;

/// <summary>What becomes of a product before it is stored; null if a part is
/// not wanted. All matrices have the same distance between rows.</summary>
/// <typeparam name="T">float or double.</typeparam>
internal unsafe struct DenseFinish<T> where T : unmanaged
{
    /// <summary>Added to each row.</summary>
    public T* Bias;

    /// <summary>Results of relu: sets the product to 0 if they are 0.</summary>
    public T* Gate;

    /// <summary>Added, after <see cref="Gate"/>.</summary>
    public T* Addend;

    /// <summary>Gets the result; may be <see cref="Addend"/>.</summary>
    public T* Result;

    /// <summary>Gets relu of the result.</summary>
    public T* Relu;

    /// <summary>The distance between rows.</summary>
    public nint Stride;
}
