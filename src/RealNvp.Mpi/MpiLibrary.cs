using System.Runtime.InteropServices;
using System.Text;

namespace RealNvp.Mpi;

/// <summary>The C functions of an MPI library of the system, and the handles that its family gives them.</summary>
internal sealed unsafe class MpiLibrary
{
    /// <summary>Names the library to load.</summary>
    public const string Variable = "REALNVP_MPI_LIBRARY";

    // only the thread that trains calls MPI: it may be another one than that which began
    private const int Serialized = 2;

    private static readonly string[] openMpi = ["libmpi.so.40", "libmpi.40.dylib"];
    private static readonly string[] mpich = ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib", "msmpi.dll"];
    private static readonly string[] any = ["libmpi.so", "libmpich.so", "libmpi.dylib"];

    private readonly nint library, world, floats, doubles, bytes, sum;
    private readonly void* inPlace, ignored;

    // sums that have begun are on a group of their own, so that no order binds them to other calls; so is who comes and who leaves
    private nint overlapping, meeting;

    private MpiLibrary(nint library, string name)
    {
        (this.library, Name) = (library, name);
        if (NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out world))
        {
            Family = MpiFamily.OpenMpi;
            (floats, doubles, bytes, sum) = (At("ompi_mpi_float"), At("ompi_mpi_double"), At("ompi_mpi_byte"), At("ompi_mpi_op_sum"));
            inPlace = (void*)1;
            return;
        }
        // fixed by the common ABI of MPICH (mpich.org/abi)
        Family = MpiFamily.Mpich;
        (world, floats, doubles, bytes, sum) = (0x44000000, 0x4c00040a, 0x4c00080b, 0x4c00010d, 0x58000003);
        inPlace = (void*)-1;
        ignored = (void*)1;
    }

    public string Name { get; }

    public MpiFamily Family { get; }

    /// <summary>The most elements of one call, whose count is an int of C.</summary>
    public int MostElements { get; set; } = 1 << 28;

    /// <summary>What the library says of itself.</summary>
    public string Version
    {
        get
        {
            var text = new byte[8192];
            int length;
            fixed (byte* p = text) ((delegate* unmanaged<byte*, int*, int>)At("MPI_Get_library_version"))(p, &length);
            return Encoding.UTF8.GetString(text, 0, Math.Clamp(length, 0, text.Length)).Split('\n', ',')[0].Trim('\0', ' ');
        }
    }

    /// <summary>The name that says which library: an argument, a variable, or null for those that are looked for.</summary>
    public static string? Asked(string? argument, string variable = Variable) =>
        argument ?? (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named ? named : null);

    /// <summary>The names to try, those of the family that started this process first.</summary>
    public static string[] Candidates(string? asked, MpiLauncher launcher) => asked is not null ? [asked]
        : launcher.Family == MpiFamily.Mpich ? [.. mpich, .. openMpi, .. any] : [.. openMpi, .. mpich, .. any];

    /// <summary>Loads a library.</summary>
    /// <exception cref="DllNotFoundException">None was found; the message says which were looked for, and what to install.</exception>
    /// <exception cref="MpiException">The file is no MPI library.</exception>
    public static MpiLibrary Load(string? asked, MpiLauncher launcher)
    {
        var names = Candidates(asked, launcher);
        foreach (var name in names)
        {
            if (!NativeLibrary.TryLoad(name, out var handle)) continue;
            if (!NativeLibrary.TryGetExport(handle, "MPI_Init_thread", out _))
                throw new MpiException($"{name} is no MPI library: it has no MPI_Init_thread. Name another one, as an argument or in " +
                    $"{Variable}.", 0);
            return new MpiLibrary(handle, name);
        }
        throw new DllNotFoundException(
            $"No MPI library was found; looked for {string.Join(", ", names)}. Install one, such as the packages openmpi-bin or mpich of " +
            $"Debian and Ubuntu, or name its file, as an argument or in the environment variable {Variable}.");
    }

    public bool IsInitialized => Flag("MPI_Initialized");

    public bool IsFinalized => Flag("MPI_Finalized");

    public void Initialize()
    {
        int provided;
        Check("MPI_Init_thread", ((delegate* unmanaged<int*, byte***, int, int*, int>)At("MPI_Init_thread"))(null, null, Serialized,
            &provided));
        // errors come back, and are thrown by name
        var handler = Family == MpiFamily.OpenMpi ? At("ompi_mpi_errors_return") : 0x54000001;
        Check("MPI_Comm_set_errhandler", ((delegate* unmanaged<nint, nint, int>)At("MPI_Comm_set_errhandler"))(world, handler));
        (overlapping, meeting) = (Another(), Another());
    }

    // a handle of MPICH is an int, which fills the lower half
    private nint Another()
    {
        nint group = 0;
        Check("MPI_Comm_dup", ((delegate* unmanaged<nint, nint*, int>)At("MPI_Comm_dup"))(world, &group));
        return group;
    }

    public int Rank => Number("MPI_Comm_rank");

    public int Size => Number("MPI_Comm_size");

    /// <summary>Adds up numbers over all processes, in place.</summary>
    public void Sum(Span<byte> values, bool isDouble)
    {
        var count = values.Length / (isDouble ? sizeof(double) : sizeof(float));
        fixed (byte* p = values)
            Check("MPI_Allreduce", ((delegate* unmanaged<void*, void*, int, nint, nint, nint, int>)At("MPI_Allreduce"))(inPlace, p, count,
                isDouble ? doubles : floats, sum, world));
    }

    /// <summary>Begins to add up numbers over all processes, in place, where they stay until <see cref="IsDone"/>.</summary>
    /// <returns>The request.</returns>
    public nint BeginSum(Span<byte> values, bool isDouble)
    {
        var count = values.Length / (isDouble ? sizeof(double) : sizeof(float));
        nint request = 0;
        fixed (byte* p = values)
            Check("MPI_Iallreduce", ((delegate* unmanaged<void*, void*, int, nint, nint, nint, nint*, int>)At("MPI_Iallreduce"))(inPlace, p,
                count, isDouble ? doubles : floats, sum, overlapping, &request));
        return request;
    }

    /// <summary>Moves a request on, and says whether it has ended. One that has must not be asked again.</summary>
    public bool IsDone(nint request)
    {
        int flag;
        Check("MPI_Test", ((delegate* unmanaged<nint*, int*, void*, int>)At("MPI_Test"))(&request, &flag, ignored));
        return flag != 0;
    }

    /// <summary>Waits for a request.</summary>
    public void Wait(nint request) =>
        Check("MPI_Wait", ((delegate* unmanaged<nint*, void*, int>)At("MPI_Wait"))(&request, ignored));

    /// <summary>Gives all processes the bytes of one.</summary>
    public void Broadcast(Span<byte> values, int root)
    {
        fixed (byte* p = values)
            Check("MPI_Bcast", ((delegate* unmanaged<void*, int, nint, int, nint, int>)At("MPI_Bcast"))(p, values.Length, bytes, root,
                world));
    }

    /// <summary>Says a number to all processes, once all are here, and gives what each has said, by rank.</summary>
    public double[] Meet(double own)
    {
        var said = new double[Size];
        said[Rank] = own;
        fixed (double* p = said)
            Check("MPI_Allreduce", ((delegate* unmanaged<void*, void*, int, nint, nint, nint, int>)At("MPI_Allreduce"))(inPlace, p,
                said.Length, doubles, sum, meeting));
        return said;
    }

    public void Abort(int code) => ((delegate* unmanaged<nint, int, int>)At("MPI_Abort"))(world, code);

    public void FinalizeAll() => Check("MPI_Finalize", ((delegate* unmanaged<int>)At("MPI_Finalize"))());

    private bool Flag(string name)
    {
        int flag;
        Check(name, ((delegate* unmanaged<int*, int>)At(name))(&flag));
        return flag != 0;
    }

    private int Number(string name)
    {
        int number;
        Check(name, ((delegate* unmanaged<nint, int*, int>)At(name))(world, &number));
        return number;
    }

    private nint At(string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address
        : throw new MpiException($"{Name} has no {name}, so it is no MPI library of a known kind. Name another one in {Variable}.", 0);

    private void Check(string call, int code)
    {
        if (code == 0) return;
        var text = new byte[1024];
        var length = 0;
        fixed (byte* p = text) _ = ((delegate* unmanaged<int, byte*, int*, int>)At("MPI_Error_string"))(code, p, &length);
        throw new MpiException($"{call} of {Name} failed: {Encoding.UTF8.GetString(text, 0, Math.Clamp(length, 0, text.Length))}", code);
    }
}
