namespace RealNvp.Mpi;

/// <summary>Whose binary interface an MPI library has.</summary>
public enum MpiFamily
{
    /// <summary>Open MPI: handles are addresses of variables of the library.</summary>
    OpenMpi,

    /// <summary>MPICH, and what has its interface: Intel MPI, MVAPICH, Cray MPI, MS-MPI. Handles are numbers.</summary>
    Mpich,
}
