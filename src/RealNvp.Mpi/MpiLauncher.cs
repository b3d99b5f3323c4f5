using System.Globalization;

namespace RealNvp.Mpi;

/// <summary>What the environment says of the program that started this process.</summary>
/// <param name="Family">Whose <c>mpirun</c> it was; null if it was none that is known.</param>
/// <param name="Size">How many processes it started; null if it does not say.</param>
internal readonly record struct MpiLauncher(MpiFamily? Family, int? Size)
{
    public static MpiLauncher Here => Of(Environment.GetEnvironmentVariable);

    public static MpiLauncher Of(Func<string, string?> variable)
    {
        int? Number(string name) => int.TryParse(variable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;
        if (Number("OMPI_COMM_WORLD_SIZE") is { } open) return new(MpiFamily.OpenMpi, open);
        if (Number("PMI_SIZE") is { } hydra) return new(MpiFamily.Mpich, hydra);
        return default;
    }
}
