using System.Globalization;

namespace RealNvp.Mpi;

/// <summary>What the environment says of the program that started this process.</summary>
/// <param name="Family">Whose <c>mpirun</c> it was; null if that is not known.</param>
/// <param name="Size">How many processes it started; null if it does not say.</param>
/// <param name="Name">What to call it, with the variable that says so.</param>
internal readonly record struct MpiLauncher(MpiFamily? Family, int? Size, string Name)
{
    // those of a launcher within another one come first
    private static readonly (string Variable, MpiFamily? Family, string Name)[] known =
    [
        ("OMPI_COMM_WORLD_SIZE", MpiFamily.OpenMpi, "the launcher of Open MPI"),
        ("PMI_SIZE", MpiFamily.Mpich, "the launcher of MPICH"),
        ("MV2_COMM_WORLD_SIZE", MpiFamily.Mpich, "the launcher of MVAPICH"),
        ("SLURM_STEP_NUM_TASKS", null, "srun of Slurm, which may need --mpi=pmix or --mpi=pmi2"),
    ];

    public static MpiLauncher Here => Of(Environment.GetEnvironmentVariable);

    public static MpiLauncher Of(Func<string, string?> variable)
    {
        foreach (var (name, family, launcher) in known)
            if (int.TryParse(variable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var size))
                return new(family, size, $"{launcher} ({name})");
        return new(null, null, "no launcher that is known");
    }
}
