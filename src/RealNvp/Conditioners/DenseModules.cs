using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A conditioner whose weights a kernel can read.</summary>
internal interface IDenseNetwork : IRowConditioner
{
    DenseModules Modules { get; }

    (RowReading Reading, RowNetwork<T> Network)? IRowConditioner.Rows<T>(RowBuilder builder, int[] at) =>
        Modules.Rows<T>(builder, (Conditioner)this) is { } network ? (new RowReading(at, []), network) : null;
}

/// <summary>The modules that hold the weights of a network. It owns none of them.</summary>
/// <param name="program">What the network computes.</param>
/// <param name="context">What brings the context in, without a bias; null if there is none.</param>
/// <param name="layers">The layers, each with a bias.</param>
/// <param name="masks">The mask of each layer's weight; empty if there are none.</param>
/// <param name="limit">What the network sees of its input and of its context: see <see cref="InputLimit"/>; null for all of them.</param>
/// <param name="dropout">What blocks leave out in training, <see cref="DenseReference.Forward"/>; null for nothing.</param>
internal sealed partial class DenseModules(DenseProgram program, Linear? context, Linear[] layers, Constant[] masks, double? limit = null,
    SeededDropout? dropout = null)
{
    public DenseProgram Program { get; } = program;

    /// <summary>The dropout that is on now, which no kernel knows; null for none.</summary>
    public SeededDropout? Dropout => dropout is { IsOn: true } ? dropout : null;

    /// <summary>The limit of what the network sees, or null. Its program begins behind it.</summary>
    public double? Limit { get; } = limit;

    /// <summary>What the network computes in if inputs are float32; null for the dtype of the input, as kernels do.</summary>
    public ScalarType? ComputeDtype { get; set; }

    /// <summary>Whether the network takes the context that is there.</summary>
    public bool Uses(Tensor? given) => context is not null && given is not null;

    /// <summary>The tensors of one call, in the order of <see cref="DenseTensors"/>.</summary>
    public List<Tensor> Tensors(Tensor input, Tensor? given)
    {
        var all = new List<Tensor>(5 + (3 * layers.Length)) { input };
        if (Uses(given)) all.AddRange([given!, context!.weight!]);
        foreach (var layer in layers)
        {
            all.Add(layer.weight!);
            all.Add(layer.bias!);
        }
        foreach (var mask in masks) all.Add(mask.Value);
        return all;
    }
}
