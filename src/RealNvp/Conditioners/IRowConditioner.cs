using System.Numerics;
using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <summary>A network that says how it reads few rows.</summary>
internal interface IRowConditioner
{
    /// <summary>What the network reads of a row, and its layers; null if it has none that a plan knows.</summary>
    /// <param name="builder">Gets its weights.</param>
    /// <param name="at">Where the features that it is given are.</param>
    (RowReading Reading, RowNetwork<T> Network)? Rows<T>(RowBuilder builder, int[] at)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

/// <content>The network on few rows.</content>
internal sealed partial class DenseModules
{
    /// <summary>Adds the weights to a plan.</summary>
    /// <param name="builder">Gets them.</param>
    /// <param name="network">Whose modules these are.</param>
    public NetworkWeights RowWeights(RowBuilder builder, Conditioner network)
    {
        // a network of float64 keeps its digits
        var single = builder.Single;
        builder.Tensors.Require(() => !single || ComputeDtype is null);
        var hooks = ModuleHooks.Of(network);
        builder.Tensors.Require(() => !ModuleHooks.Any(hooks));
        return new([.. layers.Zip(Program.Layers, (layer, size) => builder.Weight(() => layer.weight!, size.Outputs, size.Inputs))],
            [.. layers.Zip(Program.Layers, (layer, size) => builder.Weight(() => layer.bias!, size.Outputs))],
            context is { } given ? builder.Weight(() => given.weight!, Program.Layers[0].Outputs, Program.Context) : -1);
    }

    /// <summary>The network over weights that are read as they lie; null if it has masks.</summary>
    public RowNetwork<T>? Rows<T>(RowBuilder builder, Conditioner network) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        masks.Length > 0 || !Program.LastIsActivated ? null
            : new PlainNetwork<T>(Program, Limit ?? 0, RowWeights(builder, network));
}
