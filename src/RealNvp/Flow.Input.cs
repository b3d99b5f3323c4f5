using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Checks and conversions of data and latents, in one place for all methods.</content>
public partial class Flow
{
    /// <summary>The first weight, which tells dtype and device; null for a flow without weights.</summary>
    private protected Tensor? Weight => parameters().FirstOrDefault();

    /// <summary>Checks a batch of data and its values, before any work. <see cref="Prepared"/>
    /// then makes of it, or of a part of it, what the layers take.</summary>
    private void CheckData(Tensor x, string owner)
    {
        CheckBatch(x, owner);
        if (x.is_floating_point()) Check.Finite(x, nameof(x), owner);
        if (base_density.IsOnSphere) UnitLength.Require(x, nameof(x), owner);
        bijection.CheckData(x, owner);
    }

    /// <summary>As <see cref="CheckData(Tensor, string)"/>, without a look at the values.</summary>
    private void CheckBatch(Tensor x, string owner)
    {
        Check.Batch(x, nameof(x), owner, InputShape);
        var weight = KnownWeight;
        if (!IsInteger(x) || !bijection.AcceptsIntegers) Check.Like(x, nameof(x), owner, weight, anyDtype: true);
        else if (weight is not null) Check.Device(x, nameof(x), owner, weight);
    }

    /// <summary>As <see cref="CheckData(Tensor, string)"/>, of latents.</summary>
    private void CheckLatents(Tensor z, string owner)
    {
        Check.Batch(z, nameof(z), owner, LatentShape);
        Check.Like(z, nameof(z), owner, KnownWeight, anyDtype: true);
        Check.Finite(z, nameof(z), owner);
        if (base_density.IsOnSphere) UnitLength.Require(z, nameof(z), owner);
    }

    /// <summary>Checked data in the dtype that the bijection takes.</summary>
    private Tensor Prepared(Tensor x) => x.is_floating_point() ? InDtype(x) : x.to(KnownWeight?.dtype ?? get_default_dtype());

    /// <summary>Checks a whole data set before training: shapes, finite values, whole
    /// numbers if the flow dequantizes, no row outside of its domain.</summary>
    internal void CheckData(Tensor x, Tensor? context, string owner)
    {
        CheckDataSet(x, context, owner);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        if (!x.is_floating_point() || bijection.OutsideDomain(x) is not { } outside || !outside.any().Fetch<bool>()) return;
        throw new ArgumentException(
            $"{owner} expects data within the domain of the flow, but {Check.Rows(outside, verbs: ("lies", "lie"))} outside, where the " +
            $"log-probability is minus infinity: {Domain(x)}. Scale the data, or leave these rows out.", nameof(x));
    }

    /// <summary>Checks a whole data set, on any device and in any floating-point dtype, before it is read batch by batch.</summary>
    private void CheckDataSet(Tensor x, Tensor? context, string owner)
    {
        using var scope = NewDisposeScope();
        Check.Batch(x, nameof(x), owner, InputShape);
        Check.NotMeta(x, nameof(x));
        if (x.is_floating_point())
        {
            Check.Like(x, nameof(x), owner, null);
            if (WeightType is { } weights && !TorchBackend.IsPrecise(weights))
                Check.Like(x.to(KnownWeight!.device), nameof(x), owner, KnownWeight, anyDtype: true);
            Check.Finite(x, nameof(x), owner);
        }
        else if (!IsInteger(x) || !bijection.AcceptsIntegers)
            throw new ArgumentException(
                $"{owner} expects {nameof(x)} with a floating-point dtype; got {x.dtype}. Convert it, or build the flow with Levels.",
                nameof(x));
        if (base_density.IsOnSphere) UnitLength.Require(x, nameof(x), owner);
        bijection.CheckData(x, owner);
        CheckContextSet(context, x.shape[0], owner);
    }

    /// <summary>A batch on the device of the weights, in its own dtype.</summary>
    internal Tensor ToWeights(Tensor tensor)
    {
        if (KnownWeight is not { } weight) return tensor;
        // from memory that is not pinned, a copy waits for all work of the device before it
        if (weight.device_type == DeviceType.CUDA && tensor.device_type == DeviceType.CPU)
            tensor = tensor.pin_memory().to(weight.device, non_blocking: true);
        // that kind of device has no float64
        if (weight.device_type == DeviceType.MPS && tensor.dtype == ScalarType.Float64) tensor = tensor.to(ScalarType.Float32);
        return tensor.to(weight.device);
    }

    private static bool IsInteger(Tensor x) => !x.is_floating_point() && !x.is_complex() && x.dtype != ScalarType.Bool;

    private static string Domain(Tensor x) =>
        FormattableString.Invariant($"{nameof(x)} has values in [{x.min().FetchDouble():G6}, {x.max().FetchDouble():G6}]");
}
