namespace RealNvp.Checking;

/// <summary>A bijection broke at least one law; the message names law, input, dtype and error.</summary>
public sealed class FlowCheckException : Exception
{
    internal FlowCheckException(FlowCheckReport report) : base(report.ToString()) => Report = report;

    /// <summary>All checks.</summary>
    public FlowCheckReport Report { get; }
}
