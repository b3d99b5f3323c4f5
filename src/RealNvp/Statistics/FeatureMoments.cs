using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// Mean, variance, least and largest value of each feature of examples that come in batches, in float64: the moments of the
/// batches are joined as by Chan, Golub and LeVeque, so that nothing is lost where the mean is large beside the deviation.
/// </summary>
internal sealed class FeatureMoments : IDisposable
{
    private Tensor? mean, squares, least, most;

    /// <summary>The number of examples so far.</summary>
    public long Count { get; private set; }

    /// <summary>The mean, of the shape of one example.</summary>
    public Tensor Mean => mean ?? throw new InvalidOperationException("No examples were added.");

    public Tensor Least => least ?? throw new InvalidOperationException("No examples were added.");

    public Tensor Most => most ?? throw new InvalidOperationException("No examples were added.");

    /// <summary>The biased variance. The caller disposes it.</summary>
    public Tensor Variance() => squares!.div(Scalars.Of(Count));

    /// <summary>Adds examples (N, ...) of any floating-point dtype.</summary>
    public void Add(Tensor batch)
    {
        var count = batch.shape[0];
        if (count == 0) return;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var x = Wide(batch, mean?.device);
        var (variance, average) = x.var_mean([0L], unbiased: false);
        var (low, high) = (x.amin([0L]), x.amax([0L]));
        using var examples = Scalars.New(count);
        var spread = variance.mul(examples);
        if (mean is null)
        {
            (mean, squares, least, most) = (scope.Detach(average), scope.Detach(spread), scope.Detach(low), scope.Detach(high));
            Count = count;
            return;
        }
        var all = Count + count;
        using Scalar share = Scalars.New((double)count / all), cross = Scalars.New((double)Count * count / all);
        var step = average.sub(mean);
        mean.add_(step.mul(share), Scalars.One);
        squares!.add_(spread, Scalars.One).add_(step.mul(step).mul(cross), Scalars.One);
        least!.copy_(minimum(least, low));
        most!.copy_(maximum(most, high));
        Count = all;
    }

    /// <summary>Joins the moments of all processes, each of which has some of the examples, at least one: all have those of all
    /// then.</summary>
    public void Join(ProcessGroup group)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (mean is null) throw new InvalidOperationException($"Process {group.Rank} of {group.Size} has no examples.");
        using var own = Scalars.New(Count);
        var all = group.Sum(tensor([(double)Count])).FetchDouble();
        using var share = Scalars.New(1 / all);
        var middle = group.Sum(mean.mul(own)).mul(share);
        var off = mean.sub(middle);
        var spread = group.Sum(squares!.add(off.mul(off).mul(own), Scalars.One));
        var (low, high) = (group.Gather(least!).amin([0L]), group.Gather(most!).amax([0L]));
        mean.copy_(middle);
        squares!.copy_(spread);
        least!.copy_(low);
        most!.copy_(high);
        Count = (long)all;
    }

    public void Dispose()
    {
        mean?.Dispose();
        squares?.Dispose();
        least?.Dispose();
        most?.Dispose();
    }

    /// <summary>As float64, on the CPU if the device has no such numbers.</summary>
    public static Tensor Wide(Tensor tensor, Device? device = null)
    {
        if (tensor.device_type == DeviceType.MPS) tensor = tensor.to(CPU);
        return device is null ? tensor.to(ScalarType.Float64) : tensor.to(ScalarType.Float64, device);
    }
}
