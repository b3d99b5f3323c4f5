using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Makes weights that outlive a dispose scope, and counts them against the budget of a model that is being loaded.</summary>
/// <remarks>
/// A checkpoint carries options, and options say how large a model is. A hostile file must not make us allocate more than it
/// holds itself, so loading sets a budget of elements and of tensors (a tensor of one element costs a kilobyte of objects), and every
/// weight is paid for before it is made, exactly: a model that was saved can always pay.
/// </remarks>
internal static class Weights
{
    [ThreadStatic] private static (long Elements, long Tensors)? budget;

    public static Parameter Parameter(Tensor value)
    {
        var parameter = new Parameter(value);
        parameter.DetachFromDisposeScope();
        return parameter;
    }

    public static Tensor Buffer(Tensor value) => value.DetachFromDisposeScope();

    public static Linear Linear(long inputs, long outputs, bool bias = true)
    {
        Pay(checked((inputs * outputs) + (bias ? outputs : 0)), bias ? 2 : 1);
        return nn.Linear(inputs, outputs, bias);
    }

    /// <summary>Takes the elements of some weights from the budget before they are allocated.</summary>
    /// <exception cref="InvalidDataException">The model is larger than the file that describes it.</exception>
    public static void Pay(long elements, int tensors)
    {
        if (budget is not { } left) return;
        if (elements > left.Elements || tensors > left.Tensors)
            throw new InvalidDataException($"The options in the checkpoint describe a model with more weights than the file holds (the next needs {elements} elements, {left.Elements} are left, and {tensors} tensor(s), {left.Tensors} are left). The file is damaged or was made by hand.");
        budget = (left.Elements - elements, left.Tensors - tensors);
    }

    public static BudgetScope Limit(long elements, long tensors)
    {
        var scope = new BudgetScope(budget);
        budget = (elements, tensors);
        return scope;
    }

    public readonly struct BudgetScope((long Elements, long Tensors)? previous) : IDisposable
    {
        public void Dispose() => budget = previous;
    }
}
