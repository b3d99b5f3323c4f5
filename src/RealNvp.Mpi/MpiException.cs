namespace RealNvp.Mpi;

/// <summary>A call of an MPI or NCCL library failed. The message names the call and says what the library says.</summary>
public sealed class MpiException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">What happened and what to do.</param>
    /// <param name="code">The code that the library gave; 0 if it gave none.</param>
    public MpiException(string message, int code) : base(message) => Code = code;

    /// <summary>The code that the library gave; 0 if it gave none.</summary>
    public int Code { get; }
}
