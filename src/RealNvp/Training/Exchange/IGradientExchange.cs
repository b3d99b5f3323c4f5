using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Several processes that train one model together, each on a part of the data: what a <see cref="Trainer"/> asks of them
/// (<see cref="Trainer.Exchange"/>). RealNvp.Mpi has one over MPI and one over NCCL; an own one has six members.
/// </summary>
/// <remarks>
/// <para>All processes call the same methods in the same order, with tensors of the same shape and dtype; a call returns when the result
/// is there, or, on a GPU, when it is asked for on the current stream. After <see cref="Sum"/> all must have the same bits.</para>
/// <para>The trainer calls it from the thread that trains, and within a backward pass from the thread that runs that: on the CPU the
/// same.</para>
/// <para>If a call fails, it throws. The trainer then calls <see cref="Abort"/>, unless all processes have the same error.</para>
/// </remarks>
public interface IGradientExchange
{
    /// <summary>The number of this process, 0 ... <see cref="Size"/> − 1. Process 0 writes checkpoints and gives the first
    /// weights.</summary>
    int Rank { get; }

    /// <summary>The number of processes, at least 1.</summary>
    int Size { get; }

    /// <summary>Adds up a tensor over all processes, in place.</summary>
    /// <param name="bucket">Contiguous, of any shape, float32 or float64: gradients on the device of the flow, or numbers on the
    /// CPU.</param>
    void Sum(Tensor bucket);

    /// <summary>Gives all processes the values of one, in place.</summary>
    /// <param name="values">Contiguous, of any shape and dtype, on the CPU.</param>
    /// <param name="root">The process whose values all get.</param>
    void Broadcast(Tensor values, int root);

    /// <summary>Returns when all processes have called it.</summary>
    void Barrier();

    /// <summary>Says that a training begins on this process; returns when all have said so. A <see cref="Barrier"/>, unless
    /// overridden.</summary>
    /// <exception cref="InvalidOperationException">A process will never come here, as it has left.</exception>
    void BeginTraining() => Barrier();

    /// <summary>Says that the training has ended on this process, well or not. Nothing, unless overridden.</summary>
    void EndTraining() { }

    /// <summary>Ends the work of all processes, because this one cannot go on and others would wait for it for ever.</summary>
    /// <remarks>It may end the process and not return.</remarks>
    /// <param name="reason">What happened here, for whoever reads the log.</param>
    void Abort(string reason);
}
