using System.Reflection;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>A layer that says which steps on rows it is.</summary>
internal interface IRowLayer
{
    /// <summary>Adds its steps.</summary>
    /// <param name="builder">Gets them.</param>
    /// <param name="at">Where the features that reach the layer are in a row.</param>
    /// <param name="inverse">Whether it is applied the other way round.</param>
    /// <param name="head">Whether it meets data in their own dtype.</param>
    /// <returns>Where the features that it gives are; null if it has no steps.</returns>
    int[]? AddRows(RowBuilder builder, int[] at, bool inverse, bool head);
}

/// <summary>Makes a plan for few rows of what a flow is composed of.</summary>
/// <param name="type">The dtype of the weights, float32 or float64.</param>
internal sealed class RowBuilder(ScalarType type)
{
    private readonly List<RowStep> steps = [];

    /// <summary>The weights that the steps read.</summary>
    public RowTensors Tensors { get; } = new();

    public bool Single => type == ScalarType.Float32;

    /// <summary>The steps up to the one that converts data.</summary>
    public int Converting { get; private set; }

    public IReadOnlyList<RowStep> Steps => steps;

    /// <summary>Adds a weight, and gives its number.</summary>
    /// <param name="tensor">Gives it as it is now.</param>
    /// <param name="shape">The shape that it must have, else the tensors of a call go on; without one, that which it has now.</param>
    public int Weight(Func<Tensor> tensor, params long[] shape) => Tensors.Add(tensor, type, shape);

    /// <summary>Numbers of a weight, in float64.</summary>
    public RowNumbers Numbers(Func<Tensor> tensor)
    {
        var count = checked((int)tensor().numel());
        return Single ? new WeightNumbers<float>(Weight(tensor), count) : new WeightNumbers<double>(Weight(tensor), count);
    }

    /// <summary>A standardization, of features or of contexts, whose buffers are read as they lie.</summary>
    /// <param name="at">The features.</param>
    /// <param name="mean">The first number of the centre.</param>
    /// <param name="rest">The second.</param>
    /// <param name="logStd">The logarithm of the scale.</param>
    public RowStep Standardized(int[] at, Func<Tensor> mean, Func<Tensor> rest, Func<Tensor> logStd) =>
        new WeightScaleRows(at, ScaleForm.MinusLog, Numbers(logStd)) { Centre = Numbers(mean), Rest = Numbers(rest) };

    /// <summary>Adds a step.</summary>
    public void Add(RowStep step, bool inverse) => steps.Add(inverse ? new TurnedRows(step) : step);

    /// <summary>Goes on through a layer.</summary>
    /// <inheritdoc cref="IRowLayer.AddRows"/>
    public int[]? Through(Bijection layer, int[] at, bool inverse, bool head = false)
    {
        if (!layer.IsUsable || (layer.InputShape is { } shape && !shape.Matches([at.Length]))) return null;
        Tensors.Require(() => layer.IsUsable);
        var to = at;
        switch (layer)
        {
            case IRowLayer known when IsOurs(layer): to = known.AddRows(this, at, inverse, head); break;
            case IMapsRows maps: Add(new FunctionRows(at, maps.MapRow), inverse); break;
            default: to = layer.MovesValues ? Moved([at], parts => [layer.Run(parts[0], Pass.Here(null), inverse).Value])?[0] : null; break;
        }
        if (to is not null && head && Converting == 0 && layer.ConvertsDtype) Converting = steps.Count;
        return to;
    }

    // who derives from a layer may compute something else
    private static bool IsOurs(Bijection layer) => Array.TrueForAll(["ForwardCore", "InverseCore"], name => layer.GetType()
        .GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic)?.DeclaringType?.Assembly == typeof(RowBuilder).Assembly);

    /// <summary>Where features are after a rearrangement; null if they are no vectors any more.</summary>
    public int[][]? Moved(int[][] parts, Func<IReadOnlyList<Tensor>, IReadOnlyList<Tensor>> move)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var moved = move([.. parts.Select(at => tensor(Array.ConvertAll(at, i => (double)i), dtype: type, device: CPU).unsqueeze(0))]);
        if (moved.Any(t => t.dim() != 2)) return null;
        return [.. moved.Select(t => Array.ConvertAll(Internal.HostFetch.FetchDoubles(t), i => (int)i))];
    }
}
