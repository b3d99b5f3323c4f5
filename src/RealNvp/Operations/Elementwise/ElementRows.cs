using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The tensors of an elementwise kernel as its streams, and the run of
/// the kernel over all rows on as many threads as that is worth.</summary>
internal sealed unsafe class ElementRows<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // numbers whose sums are made together, so that they are in a cache still
    private const long Chunk = 4096;

    private readonly Stream<T>[] streams = new Stream<T>[8];
    private readonly Sum[] sums = new Sum[2];
    private readonly Tensor?[] alive = new Tensor?[8];
    private readonly long rows, channels, length;
    private readonly bool isVector;
    private int count, sumCount;
    // whether runs lie one behind the other everywhere, and a row is one run
    private bool joined = true;

    /// <param name="like">A tensor with one number for each element: (N, D) or (N, C, ...).</param>
    public ElementRows(Tensor like)
    {
        var size = like.Sizes();
        rows = size[0];
        isVector = size.Length == 2;
        channels = isVector ? 1 : size[1];
        length = isVector ? size[1] : 1;
        for (var d = 2; d < size.Length; d++) length *= size[d];
    }

    /// <param name="images">Images of which some channels are elements, in memory that the caller keeps.</param>
    public ElementRows(ImageChannels images) => (rows, channels, length) = (images.N, images.Count, images.Plane);

    /// <summary>The elements of an example.</summary>
    public long Elements => channels * length;

    /// <summary>Adds a tensor that is read, with so many numbers an element.</summary>
    public void Read(Tensor tensor, int each) => Add(tensor, ElementLayout.Of(tensor)!.Value, each, output: false);

    /// <summary>Adds memory that is read, with so many numbers an element.</summary>
    public void Read(T* at, ElementLayout layout, int each) => Add(null, at, layout, each, output: false);

    /// <summary>Adds memory that is written.</summary>
    public void Write(T* at, ElementLayout layout, int each) => Add(null, at, layout, each, output: true);

    /// <summary>Adds a tensor that is written.</summary>
    public void Write(Tensor tensor, int each) => Add(tensor, ElementLayout.Of(tensor)!.Value, each, output: true);

    /// <summary>Adds a gradient that comes in, of the shape of the elements.
    /// Makes a copy in the caller's scope if a kernel needs one.</summary>
    public void ReadGradient(Tensor gradient)
    {
        var (size, stride) = (gradient.Sizes(), gradient.Strides());
        // a sum over the elements of an example has one gradient for all of them
        var one = true;
        for (var d = 1; d < size.Length; d++) one &= size[d] == 1 || stride[d] == 0;
        if (one && size.Length > 1) ReadByRow(gradient);
        else if (ElementLayout.Of(gradient) is { Step: 1 } layout) Add(gradient, layout, 1, output: false);
        else Read(gradient.contiguous(), 1);
    }

    /// <summary>Adds numbers that all elements of an example get, from the first column.</summary>
    public void ReadByRow(Tensor tensor) => Place(tensor, new((nint)KernelMemory.Pointer<T>(tensor), tensor.stride(0), 0, false));

    /// <summary>Adds numbers that all elements of an example get, one an example.</summary>
    public void ReadByRow(T* at) => Place(null, new((nint)at, 1, 0, false));

    /// <summary>Adds a learned number, one in all or one a feature or channel.</summary>
    public void ReadWeight(Tensor weight) => ReadWeight(weight, KernelMemory.Pointer<T>(weight), weight.numel());

    /// <summary>Adds a learned number, one in all or one a channel.</summary>
    public void ReadWeight(T* at, long count) => ReadWeight(null, at, count);

    /// <summary>Adds a sum over the elements of an example (N), of any floating-point dtype.</summary>
    public void WriteSum(Tensor to) => PlaceSum(to, KernelMemory.Pointer<byte>(to), to.dtype == ScalarType.Float64, 1, 0);

    /// <summary>Adds a sum over the elements of an example, which is added to what is there (N).</summary>
    public void AddSum(float* to) => PlaceSum(null, to, false, 1, 0, adds: true);

    /// <summary>Adds sums over the elements of an example, or of each of its channels: (N, width) numbers.</summary>
    public void WriteSums(double* to, long width) => PlaceSum(null, to, true, width, width > 1 ? 1 : 0);

    /// <summary>A tensor for the gradient of a learned number by example: (N, 1), or (N, number
    /// of features or channels); in float64 where it holds sums, which may cancel.</summary>
    public Tensor WriteWeightGradient(Tensor weight)
    {
        var width = weight.numel();
        var to = empty([rows, width], dtype: isVector && width > 1 ? weight.dtype : ScalarType.Float64, device: CPU);
        if (isVector && width > 1) Place(to, new Stream<T>((nint)KernelMemory.Pointer<T>(to), width, 1, true));
        else PlaceSum(to, KernelMemory.Pointer<byte>(to), isDouble: true, width, width > 1 ? 1 : 0);
        return to;
    }

    /// <summary>Runs a map, or its gradients, over all rows.</summary>
    /// <param name="map">The map.</param>
    /// <param name="inverse">Whether it is the inverse.</param>
    /// <param name="gradient">Whether the streams are those of the gradients.</param>
    /// <param name="grain">Elements that are worth a thread of their own.</param>
    public void Run(ElementwiseCode map, bool inverse, bool gradient, double grain)
    {
        if (rows * Elements == 0) return;
        KernelThreads.For(rows, rows * Elements, grain, (start, end) => Part(map, inverse, gradient, start, end));
        // they are in use until here, whatever scope they are in
        GC.KeepAlive(alive);
    }

    private void Part(ElementwiseCode map, bool inverse, bool gradient, long start, long end)
    {
        var own = stackalloc Stream<T>[count];
        streams.AsSpan(0, count).CopyTo(new Span<Stream<T>>(own, count));
        var job = new ElementJob<T> { Streams = own, Count = count, Inner = joined ? Elements : length, Runs = joined ? 1
            : channels, Inverse = inverse, Gradient = gradient };
        var most = sumCount == 0 ? end - start : Math.Clamp(Chunk / Elements, 1, end - start);
        var scratch = sumCount == 0 ? null : (T*)KernelScratch.Own(sumCount * most * Elements * (sizeof(T) / sizeof(float)));
        for (var row = start; row < end; row += most)
        {
            (job.Start, job.End) = (row, Math.Min(row + most, end));
            for (var i = 0; i < sumCount; i++)
                own[sums[i].Stream] = new((nint)(scratch + (i * most * Elements) - (row * Elements)), Elements, 1, true) { Run = length };
            map.Run(job);
            for (var i = 0; i < sumCount; i++) Add(sums[i], scratch + (i * most * Elements), row, job.End);
        }
    }

    private void Add(in Sum sum, T* from, long start, long end)
    {
        for (var row = start; row < end; row++)
        {
            if (sum.Run == 0) sum.Set(row * sum.Row, ElementSum.Of(from, Elements));
            for (var c = 0; c < channels && sum.Run > 0; c++)
                sum.Set((row * sum.Row) + (c * sum.Run), ElementSum.Of(from + (c * length), length));
            from += Elements;
        }
    }

    private void Add(Tensor tensor, ElementLayout layout, int each, bool output) =>
        Add(tensor, KernelMemory.Pointer<T>(tensor), layout, each, output);

    private void Add(Tensor? tensor, T* at, ElementLayout layout, int each, bool output)
    {
        joined &= isVector || channels == 1 || (layout.Step == 1 && layout.Run == length);
        Place(tensor, new((nint)at, layout.Row, each, output)
        {
            Run = layout.Run,
            Step = layout.Step,
            Block = isVector ? length * layout.Step : channels * layout.Run,
        });
    }

    private void ReadWeight(Tensor? weight, T* at, long count)
    {
        var each = count > 1;
        if (each && !isVector) joined = false;
        Place(weight, each && isVector ? new((nint)at, 0, 1, false) : new((nint)at, 0, 0, false) { Run = each ? 1 : 0 });
    }

    private void Place(Tensor? tensor, Stream<T> stream) => (alive[count], streams[count++]) = (tensor, stream);

    private void PlaceSum(Tensor? tensor, void* to, bool isDouble, long row, long run, bool adds = false)
    {
        sums[sumCount++] = new((nint)to, isDouble, row, run, count, adds);
        Place(tensor, default);
    }

    // where the sums of a stream's numbers go: from one row to the next, and from one run to the next, or 0 for one sum a row
    private readonly struct Sum(nint to, bool isDouble, long row, long run, int stream, bool adds)
    {
        public readonly long Row = row, Run = run;
        public readonly int Stream = stream;

        public void Set(long at, double value)
        {
            if (isDouble) ((double*)to)[at] = value;
            else ((float*)to)[at] = adds ? ((float*)to)[at] + (float)value : (float)value;
        }
    }
}
