namespace RealNvp.Kernels;

/// <summary>A tensor as an elementwise kernel reads or writes it: rows of runs of
/// elements, each element with one number or one for each parameter.</summary>
/// <param name="Start">The first number.</param>
/// <param name="Row">From one row to the next, in numbers.</param>
/// <param name="Blocks">The numbers of an element; 0 for one number a run, which all of its elements get.</param>
/// <param name="Output">Whether it is written.</param>
internal readonly unsafe record struct Stream<T>(nint Start, long Row, int Blocks, bool Output) where T : unmanaged
{
    /// <summary>Whether what was read is written over: of an element the numbers that its kernel writes, and no element twice.</summary>
    public bool InPlace { get; init; }

    /// <summary>Whether the kernel writes to it.</summary>
    public bool IsWritten => Output || InPlace;

    /// <summary>From one run of a row to the next.</summary>
    public long Run { get; init; }

    /// <summary>From one element of a run to the next.</summary>
    public long Step { get; init; } = 1;

    /// <summary>From one number of an element to its next.</summary>
    public long Block { get; init; }

    /// <summary>The first element of a run.</summary>
    public T* At(long row, long run) => (T*)Start + (row * Row) + (run * Run);
}

/// <summary>What an elementwise kernel does with one vector of elements.</summary>
internal unsafe interface IElementKernel<T> where T : unmanaged
{
    /// <summary>How many numbers of memory of its own <see cref="Run"/> needs for each lane.</summary>
    int Scratch { get; }

    /// <summary>Computes one vector.</summary>
    /// <param name="at">Where the first number of each stream has it.</param>
    /// <param name="steps">From one number of an element to its next, by stream.</param>
    /// <param name="scratch">Memory of its own.</param>
    void Run(T** at, nint* steps, T* scratch);
}
