using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Makes weights that outlive a dispose scope, and counts them against the budget of a model that is being loaded.</summary>
/// <remarks>
/// A checkpoint carries options, and options say how large a model is. A hostile file must not make us allocate more than it
/// holds itself, so loading sets a budget of elements, and every weight is paid for before it is made.
/// </remarks>
internal static class Weights
{
    [ThreadStatic] private static long? budget;

    public static Parameter Parameter(Tensor value)
    {
        var parameter = new Parameter(value);
        parameter.DetachFromDisposeScope();
        return parameter;
    }

    public static Tensor Buffer(Tensor value) => value.DetachFromDisposeScope();

    public static Linear Linear(long inputs, long outputs, bool bias = true)
    {
        Pay(checked(inputs * outputs + outputs));
        return nn.Linear(inputs, outputs, bias);
    }

    /// <summary>Takes <paramref name="elements"/> from the budget before they are allocated.</summary>
    /// <exception cref="InvalidDataException">The model is larger than the file that describes it.</exception>
    public static void Pay(long elements)
    {
        if (budget is not { } left) return;
        if (elements > left)
            throw new InvalidDataException($"The options in the checkpoint describe a model with more weights than the file holds (a weight of {elements} elements, {left} left). The file is damaged or was made by hand.");
        budget = left - elements;
    }

    public static BudgetScope Limit(long elements)
    {
        var scope = new BudgetScope(budget);
        budget = elements;
        return scope;
    }

    public readonly struct BudgetScope(long? previous) : IDisposable
    {
        public void Dispose() => budget = previous;
    }
}
