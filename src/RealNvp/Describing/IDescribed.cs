namespace RealNvp;

/// <summary>A layer, network, density or any other module that says in its
/// own words what stands behind its name when it is printed.</summary>
/// <remarks>
/// Nothing needs it: what is printed of any module is its class, its shapes, the numbers, names and switches
/// among its public properties, and the number of its parameters. Who implements it replaces the properties.
/// </remarks>
public interface IDescribed
{
    /// <summary>A few words on one line, such as <c>keeps 2 of 5, 8 bins</c>; empty for none.</summary>
    string Description { get; }
}
