using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Rows of elements, and what is to be done with them.</summary>
internal unsafe struct ElementJob<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>
    /// Input, parameters, the weight if the map has one; then value and log-derivative, or for gradients
    /// those of value and log-derivative that come, and those of input, parameters and weight that go.
    /// </summary>
    public Stream<T>* Streams;

    /// <summary>The number of streams.</summary>
    public int Count;

    /// <summary>Elements of a run, and runs of a row.</summary>
    public long Inner, Runs;

    /// <summary>The first row, and the one after the last.</summary>
    public long Start, End;

    public bool Inverse, Gradient;

    /// <summary>Whether values leave a record in the place of the parameters, and gradients find that there: see
    /// <see cref="ElementwiseCode.Records"/>.</summary>
    public bool Recorded;

    /// <summary>Gets the map of one vector, in place of rows that are computed; null for rows.</summary>
    public StrongBox<ElementVectors<T>?>? Vectors;

    /// <summary>Runs a kernel over the rows.</summary>
    public readonly void Run<TLanes, TKernel>(TKernel kernel) where TLanes : struct, ILanes<TLanes, T>
        where TKernel : struct, IElementKernel<T>
    {
        if (Vectors is not null) Vectors.Value = new ElementVectors<TLanes, T, TKernel>(kernel);
        else ElementTiles<TLanes, T, TKernel>.Run(kernel, this);
    }
}

/// <summary>An elementwise map on numbers: its kernel and that of its gradients.</summary>
internal abstract class ElementwiseCode
{
    /// <summary>P, the parameters of an element.</summary>
    public abstract int Parameters { get; }

    /// <summary>Whether a learned number, one in all or one a feature or channel, is one of its streams.</summary>
    public virtual bool HasWeight => false;

    /// <summary>Whether values can write down what the gradients need, where the parameters were, so that it need not be computed
    /// again. The gradients are the same up to rounding.</summary>
    public virtual bool Records => false;

    /// <summary>What an element costs, in multiply-adds.</summary>
    public abstract double Cost { get; }

    /// <summary>Computes rows on this thread, with vectors as wide as there are.</summary>
    public void Run<T>(in ElementJob<T> job) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        LaneWidth.Run<Code<T>, T>(new Code<T>(this, job));

    /// <summary>The map of one vector, as wide as there are.</summary>
    public ElementVectors<T> Vectors<T>(bool inverse) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        StrongBox<ElementVectors<T>?> box = new();
        Run(new ElementJob<T> { Inverse = inverse, Vectors = box });
        return box.Value!;
    }

    /// <summary>Lets the job run the kernel of the map, or that of its gradients.</summary>
    protected abstract void Run<TLanes, T>(in ElementJob<T> job) where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;

    private readonly struct Code<T>(ElementwiseCode map, in ElementJob<T> job) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly ElementJob<T> job = job;

        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T> => map.Run<TLanes, T>(job);
    }
}
