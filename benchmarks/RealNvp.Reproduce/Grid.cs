namespace RealNvp.Reproduce;

/// <summary>A table of models, a row each, on several data sets, a column each.</summary>
/// <param name="Title">Its title on the page of results.</param>
/// <param name="Protocol">How rows are drawn, how all of them are trained, and for how long.</param>
internal sealed record Grid(string Title, string Protocol);
