using ScottPlot;

namespace RealNvp.Plotting;

/// <summary>One panel of a <see cref="DiagnosticPlot"/>.</summary>
/// <param name="Title">What is above it.</param>
/// <param name="Plot">Makes the chart.</param>
internal sealed record DiagnosticPanel(string Title, Func<Plot> Plot);
