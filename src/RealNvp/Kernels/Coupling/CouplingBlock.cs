namespace RealNvp.Kernels;

/// <summary>Where the numbers of some rows of a fused coupling are. All matrices but
/// that of parameters have <see cref="Columns"/> columns side by side.</summary>
internal unsafe struct CouplingBlock
{
    public int Rows, Columns;

    /// <summary>What is mapped.</summary>
    public float* Input;

    /// <summary>The parameters: P times the columns in a row.</summary>
    public float* Raw;

    /// <summary>The distance between rows of parameters, and of their gradients.</summary>
    public nint RawRow;

    /// <summary>Gets the value.</summary>
    public float* Value;

    /// <summary>Gets the log-derivative.</summary>
    public float* LogDerivative;

    /// <summary>The gradient of the value.</summary>
    public float* OfValue;

    /// <summary>The gradient of the log-determinant, one a row; or one an element, if <see cref="IsColumn"/>.</summary>
    public float* OfLogDet;

    /// <summary>From one of those to the next.</summary>
    public nint OfLogDetRow;

    /// <summary>Whether it is one feature of many rows, which lie side by side as if they were the columns of one.</summary>
    public bool IsColumn;

    /// <summary>Gets the gradient of the input.</summary>
    public float* OfInput;

    /// <summary>Gets the gradient of the parameters.</summary>
    public float* OfRaw;

    /// <summary>Gets the gradient of the weight, one number an element.</summary>
    public float* OfWeight;

    public readonly Stream<float> In(float* at) => new((nint)at, Columns, 1, false);

    public readonly Stream<float> Out(float* at) => new((nint)at, Columns, 1, true);

    /// <summary>One number for each row.</summary>
    public static Stream<float> ByRow(float* at, nint step) => new((nint)at, step, 0, false);

    public readonly Stream<float> Parameters(float* at, int count, bool output) => new((nint)at, RawRow, count, output) { Block = Columns };
}
