namespace RealNvp.Internal;

/// <summary>An <see cref="IFitsData"/> that takes its numbers from the data of all processes, if each has a
/// part of them: see <see cref="ProcessGroup.Fitting"/>.</summary>
internal interface IFitsParts : IFitsData;
