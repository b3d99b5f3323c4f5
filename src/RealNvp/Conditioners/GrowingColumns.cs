using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A matrix that grows by columns: in place if no gradient is wanted, a new one each time where it is.</summary>
internal sealed class GrowingColumns
{
    private readonly Tensor? buffer;
    private bool grown;

    public GrowingColumns(long examples, long most, ScalarType type, Device device)
    {
        // zeros: products of bfloat16 on processors with tiles of matrices (AMX) read a number behind an odd row, and NaN times 0 is NaN
        if (!is_grad_enabled()) buffer = zeros([examples, most], dtype: type, device: device);
        Known = buffer?.narrow(1, 0, 0) ?? empty([examples, 0], dtype: type, device: device);
    }

    public Tensor Known { get; private set; }

    public long Count { get; private set; }

    public void Add(Tensor columns)
    {
        var more = columns.shape[1];
        if (buffer is not null)
        {
            buffer.narrow(1, Count, more).copy_(columns);
            Known = buffer.narrow(1, 0, Count + more);
        }
        else Known = cat([Known, columns], 1);
        Count += more;
        grown = true;
    }

    /// <summary>Lets what is known outlive the scope of a step.</summary>
    public void Keep(DisposeScope step)
    {
        if (grown) step.MoveToOuter(Known);
        grown = false;
    }
}
