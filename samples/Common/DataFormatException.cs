namespace RealNvp.Samples.Common;

/// <summary>A data file does not hold what its format asks for. The message says what came and what was expected.</summary>
public sealed class DataFormatException : IOException
{
    /// <summary>Makes an exception without a message.</summary>
    public DataFormatException() { }

    /// <summary>Makes an exception with a message.</summary>
    /// <param name="message">What came and what was expected.</param>
    public DataFormatException(string message) : base(message) { }

    /// <summary>Makes an exception with a message and its cause.</summary>
    /// <param name="message">What came and what was expected.</param>
    /// <param name="cause">The exception behind it.</param>
    public DataFormatException(string message, Exception? cause) : base(message, cause) { }
}
