using System.Reflection;
using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The state of an optimizer of TorchSharp as named tensors: each field of
/// what it holds for a parameter, in the order of the parameters.</summary>
/// <remarks>
/// Not by its own <c>save_state_dict</c>: that reads a buffer of momentum back as float32
/// on the CPU, whatever it was, and it parses bytes from a file that anybody may have made.
/// </remarks>
internal sealed class TorchOptimizerState
{
    private static readonly Type[] numbers = [typeof(long), typeof(int), typeof(double), typeof(float), typeof(bool)];
    private readonly OptimizerState[] states;
    private readonly Parameter[] parameters;

    private TorchOptimizerState(OptimizerState[] states, Parameter[] parameters) => (this.states, this.parameters) = (states, parameters);

    /// <summary>The state of an optimizer; null if it holds it elsewhere, or holds something that is no tensor and no number.</summary>
    public static TorchOptimizerState? Of(optim.Optimizer optimizer)
    {
        if (optimizer is not OptimizerHelper helper) return null;
        OptimizerState[] states = [.. helper.state_dict().State];
        Parameter[] parameters = [.. helper.parameters()];
        return states.Length == parameters.Length
            && states.All(s => s is not null && Fields(s).All(f => f.FieldType == typeof(Tensor) || numbers.Contains(f.FieldType)))
            ? new TorchOptimizerState(states, parameters)
            : null;
    }

    /// <summary>The tensors as they are, and the numbers as new tensors in the caller's scope. What is null is left out.</summary>
    public Dictionary<string, Tensor> Read()
    {
        var result = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        for (var i = 0; i < states.Length; i++)
            foreach (var field in Fields(states[i]))
                switch (field.GetValue(states[i]))
                {
                    case null: break;
                    case Tensor value: result.Add(Key(i, field), value); break;
                    case double value: result.Add(Key(i, field), tensor(value, ScalarType.Float64, CPU)); break;
                    case float value: result.Add(Key(i, field), tensor((double)value, ScalarType.Float64, CPU)); break;
                    case var value: result.Add(Key(i, field), TensorMemory.Int64(Convert.ToInt64(value, null))); break;
                }
        return result;
    }

    /// <summary>Takes a state over. Each tensor must have the shape of its parameter, or be a number.</summary>
    public void Write(IReadOnlyDictionary<string, Tensor> given, string owner)
    {
        var known = states.SelectMany((s, i) => Fields(s).Select(f => (Key: Key(i, f), Index: i, Field: f))).ToDictionary(f => f.Key);
        foreach (var (name, value) in given)
        {
            if (!known.TryGetValue(name, out var at))
                throw new ArgumentException(
                    $"The state has '{name}', which {owner} does not know. Load a state of the same optimizer for the same parameters.",
                    nameof(given));
            var isTensor = at.Field.FieldType == typeof(Tensor);
            if (value is null || value.IsInvalid)
                throw new ArgumentException($"The tensor '{name}' of the state is null or disposed. Pass a live tensor.", nameof(given));
            if (value.dim() != 0 && !(isTensor && value.shape.AsSpan().SequenceEqual(parameters[at.Index].shape)))
                throw new ArgumentException(
                    $"The tensor '{name}' of the state has the shape {EventShape.Format(value.shape)}; expected " +
                    $"{(isTensor ? EventShape.Format(parameters[at.Index].shape) : "a number")}. Load a state of the same optimizer for " +
                    $"the same parameters.", nameof(given));
        }
        // a tensor that lacks is null; a number never is
        var missing = known.Values.FirstOrDefault(f => f.Field.FieldType != typeof(Tensor) && !given.ContainsKey(f.Key)).Key;
        if (missing is not null)
            throw new ArgumentException($"The state has no '{missing}'. Load a state of the same optimizer for the same parameters.",
                nameof(given));
        using var _ = no_grad();
        foreach (var (name, at) in known) Set(states[at.Index], at.Field, given.GetValueOrDefault(name), parameters[at.Index]);
    }

    private static void Set(OptimizerState state, FieldInfo field, Tensor? value, Tensor parameter)
    {
        if (field.FieldType != typeof(Tensor))
        {
            field.SetValue(state, field.FieldType == typeof(double) || field.FieldType == typeof(float)
                ? Convert.ChangeType(value!.FetchDouble(), field.FieldType, null)
                : Convert.ChangeType(value!.FetchInt64(), field.FieldType, null));
            return;
        }
        var before = (Tensor?)field.GetValue(state);
        // numbers may live elsewhere than their parameter, as before
        var device = value is { } v && v.dim() == 0 ? before?.device ?? v.device : parameter.device;
        field.SetValue(state, value?.to(device, copy: true).DetachFromDisposeScope());
        before?.Dispose();
    }

    private static FieldInfo[] Fields(OptimizerState state)
    {
        var fields = new List<FieldInfo>();
        for (var type = state.GetType(); type is not null && type != typeof(OptimizerState); type = type.BaseType)
            fields.AddRange(
                type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly));
        return [.. fields];
    }

    private static string Key(int index, FieldInfo field) => $"{index}.{field.Name.Trim('<', '>').Split('>')[0]}";
}
