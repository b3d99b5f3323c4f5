using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Collects results; a call that throws is a failure that says what it threw.</summary>
internal sealed class Recorder(Subject subject)
{
    private const int DetailLength = 400;

    public List<FlowCheckResult> Results { get; } = [];

    /// <summary>Compares an error with a tolerance. At special inputs an allowance that drowns the tolerance ends inconclusive.</summary>
    public void Compare(FlowLaw law, string input, double error, double tolerance, string detail = "") =>
        Add(law, input, error <= tolerance ? FlowCheckOutcome.Passed : FlowCheckOutcome.Failed, error, tolerance, detail);

    /// <summary>A law that is a yes or no.</summary>
    public void Require(FlowLaw law, string input, bool holds, string detail) => Compare(law, input, holds ? 0 : 1, 0.5, detail);

    public void Inconclusive(FlowLaw law, string input, double error, double tolerance, string detail) =>
        Add(law, input, FlowCheckOutcome.Inconclusive, error, tolerance, detail);

    /// <summary>Runs one check in a dispose scope of its own.</summary>
    public void Run(FlowLaw law, string input, Action check)
    {
        using var scope = NewDisposeScope();
        try { check(); }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // native errors carry a stack of C++ frames behind the first line
            var message = e.Message.Split('\n')[0];
            if (message.Length > DetailLength) message = message[..DetailLength] + " ...";
            Add(law, input, FlowCheckOutcome.Failed, double.NaN, 0, $"It threw {e.GetType().Name}: {message}");
        }
    }

    private void Add(FlowLaw law, string input, FlowCheckOutcome outcome, double error, double tolerance, string detail) =>
        Results.Add(new()
        {
            Law = law, Input = input, Dtype = subject.Dtype, Outcome = outcome, Error = error, Tolerance = tolerance,
            Detail = outcome == FlowCheckOutcome.Passed ? "" : detail,
        });
}
