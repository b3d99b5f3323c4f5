namespace RealNvp;

/// <summary>A loss, a gradient or a result became NaN or infinite. In training, the weights are those before the step.</summary>
public sealed class NonFiniteException : ArithmeticException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">What happened and what to do.</param>
    /// <param name="layer">The first layer or parameter at fault.</param>
    public NonFiniteException(string message, string layer) : base(message) => Layer = layer;

    internal NonFiniteException(string message, string layer, Exception cause) : base(message, cause) => Layer = layer;

    /// <summary>The name of the first layer or parameter at fault, as <c>named_modules()</c> gives it.</summary>
    public string Layer { get; }

    /// <summary>The number of rows of a result that are at fault; 0 if that is not known.</summary>
    internal long Rows { get; init; }
}
