using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Makes weights that outlive a dispose scope, and counts them against the budget of a model that is being loaded.</summary>
/// <remarks>
/// A checkpoint carries options, and options say how large a model is. A hostile file must not make us allocate more than it
/// holds itself, so loading sets a budget of elements and of tensors (a tensor of one element costs a kilobyte of objects), and every
/// weight is paid for before it is made, exactly: a model that was saved can always pay. Constants,
/// such as masks, stand in no file, so they have an account of their own, and those that layers
/// share (<see cref="SharedConstant"/>) are made only when the file has proved to fit.
/// </remarks>
internal static class Weights
{
    // 64 GB in float32: what is larger is a mistake, and libtorch would say so in its own words
    private const long MostElements = 1L << 34;

    [ThreadStatic] private static List<IDisposable>? made;
    [ThreadStatic] private static Budget? budget;
    [ThreadStatic] private static Generator? generator;

    /// <summary>Draws the initial weights of this thread from a new generator until disposed; a null seed changes nothing.</summary>
    public static SeedScope Seed(long? seed)
    {
        var scope = new SeedScope(generator, seed is { } s ? RandomSource.New(s) : null);
        generator = scope.Own ?? generator;
        return scope;
    }

    /// <summary>Initial weights that are uniform in ±<paramref name="bound"/>, on the default device and in the default dtype.</summary>
    public static Tensor Uniform(double bound, params ReadOnlySpan<long> size) =>
        Noise.Uniform(size, get_default_dtype(), get_default_device(), generator, -bound, bound);

    /// <summary>Initial weights that are normal with mean 0, on the default
    /// device and in the default dtype unless told otherwise.</summary>
    public static Tensor Normal(double spread, ReadOnlySpan<long> size, ScalarType? dtype = null) =>
        Noise.Normal(size, dtype ?? get_default_dtype(), get_default_device(), generator, spread);

    /// <summary>Initial weights that are standard normal.</summary>
    public static Tensor Normal(params ReadOnlySpan<long> size) => Normal(1, size);

    public static Parameter Parameter(Tensor value)
    {
        var parameter = new Parameter(value);
        parameter.DetachFromDisposeScope();
        made?.Add(parameter);
        return parameter;
    }

    public static Tensor Buffer(Tensor value)
    {
        made?.Add(value);
        return value.DetachFromDisposeScope();
    }

    public static Linear Linear(long inputs, long outputs, bool bias = true)
    {
        Pay(((Int128)inputs * outputs) + (bias ? outputs : 0), bias ? 2 : 1);
        // the numbers of nn.Linear, in its order, but from our generator
        var weight = new Parameter(Uniform(KaimingBound(inputs), outputs, inputs));
        var linear = nn.Linear(weight, bias ? new Parameter(Uniform(1 / Math.Sqrt(inputs), outputs)) : null);
        made?.Add(linear);
        return linear;
    }

    /// <summary>A linear layer that gives zeros until it is trained: the last
    /// one of a network, so that a new flow starts as the identity.</summary>
    public static Linear ZeroLinear(long inputs, long outputs)
    {
        var linear = Linear(inputs, outputs);
        using (no_grad())
        {
            linear.weight!.fill_(Scalars.Zero);
            linear.bias!.fill_(Scalars.Zero);
        }
        return linear;
    }

    // kaiming_uniform_ with a = √5, step by step as libtorch computes it: 1/√fan up to rounding
    private static double KaimingBound(long fan) => Math.Sqrt(3) * (Math.Sqrt(2 / (1 + Math.Pow(Math.Sqrt(5), 2))) / Math.Sqrt(fan));

    /// <summary>Takes the elements of some weights from the budget before they are allocated.</summary>
    /// <param name="elements">A product of sizes, which may be more than a long can count.</param>
    /// <param name="tensors">The number of tensors.</param>
    /// <exception cref="ArgumentException">So many that a size must be wrong.</exception>
    /// <exception cref="InvalidDataException">The model is larger than the file that describes it.</exception>
    public static void Pay(Int128 elements, int tensors)
    {
        if (elements < 0 || elements > MostElements)
            throw new ArgumentException(
                $"A layer with {elements} weights is too large: a mistake in a size, or a shape that is too large for this layer.");
        if (budget is not { } left) return;
        if (elements > left.Elements || tensors > left.Tensors)
            throw new InvalidDataException(
                $"The options in the checkpoint describe a model with more weights than the file holds (the next needs {elements} " +
                $"elements, {left.Elements} are left, and {tensors} tensor(s), {left.Tensors} are left). The file is damaged or was " +
                $"made by hand.");
        left.Elements -= (long)elements;
        left.Tensors -= tensors;
    }

    /// <summary>Throws if so many elements, of which layers will be made, are more than twice what is left.</summary>
    /// <exception cref="InvalidDataException">The model is larger than the file that describes it.</exception>
    public static void CheckAffords(Int128 elements)
    {
        if (elements > MostElements || (budget is { } left && elements > (Int128)left.Elements * 2))
            throw new InvalidDataException(
                $"The options in the checkpoint describe a model with more weights than the file holds ({elements} elements). The file " +
                "is damaged or was made by hand.");
    }

    /// <summary>Whether the models that this thread builds now are those of files.</summary>
    public static bool IsLimited => budget is not null;

    /// <summary>Takes the elements of a constant from the budget, before it is made if that is possible.</summary>
    /// <exception cref="InvalidDataException">The layers have far more constants than a model with the weights of the file has.</exception>
    public static void PayConstant(long elements)
    {
        if (budget is not { } left) return;
        if (elements > left.Constants)
            throw new InvalidDataException(
                $"The options in the checkpoint describe a model with more masks and indices than one with the file's weights has (the " +
                $"next needs {elements} elements, {left.Constants} are left). The file is damaged or was made by hand.");
        left.Constants -= elements;
    }

    /// <summary>Sets the budget of a model that is built from a file.</summary>
    /// <param name="elements">The most elements of its weights and buffers.</param>
    /// <param name="tensors">The most weights and buffers.</param>
    /// <param name="constants">The most elements of its constants.</param>
    public static BudgetScope Limit(long elements, long tensors, long constants)
    {
        var scope = new BudgetScope(budget, made);
        (budget, made) = (new Budget { Elements = elements, Tensors = tensors, Constants = constants }, []);
        return scope;
    }

    /// <summary>Whether a constant is not to be made yet; <see cref="MakeConstants"/> makes it then.</summary>
    public static bool Defers(Constant constant)
    {
        budget?.Deferred.Add(constant);
        return budget is not null;
    }

    /// <summary>Makes what was deferred within the current limit.</summary>
    public static void MakeConstants() => budget?.Deferred.ForEach(constant => constant.Make());

    /// <summary>A constant of a layer, which lives as long as the weights do.</summary>
    public static void Made(IDisposable constant) => made?.Add(constant);

    /// <summary>Frees all that was made within the current limit, because the model did not come to be.</summary>
    public static void Abandon() => made?.ForEach(m => m.Dispose());

    public readonly struct SeedScope(Generator? previous, Generator? own) : IDisposable
    {
        public Generator? Own => own;

        public void Dispose()
        {
            generator = previous;
            own?.Dispose();
        }
    }

    public sealed class Budget
    {
        public long Elements { get; set; }

        public long Tensors { get; set; }

        public long Constants { get; set; }

        public List<Constant> Deferred { get; } = [];
    }

    public readonly struct BudgetScope(Budget? previous, List<IDisposable>? previouslyMade) : IDisposable
    {
        public void Dispose() => (budget, made) = (previous, previouslyMade);
    }
}
