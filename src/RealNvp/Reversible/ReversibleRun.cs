using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A run of layers that autograd sees as one function: of all values in it, only the last one is kept.</summary>
internal sealed class ReversibleRun
{
    // the gradients of a part of the weights are twice in memory while autograd adds them up
    private const int Parts = 16;

    private readonly Parameter[] parameters;

    // from the backward pass of the run to those of the tokens
    private readonly Tensor?[] gradients;
    private readonly Dictionary<Parameter, int> places = new(ReferenceEqualityComparer.Instance);

    private ReversibleRun(ReversibleSession session, Bijection[] layers, bool inverse, Parameter[] parameters)
    {
        (Session, Layers, Inverse, this.parameters) = (session, layers, inverse, parameters);
        for (var i = 0; i < parameters.Length; i++) places[parameters[i]] = i;
        gradients = new Tensor?[parameters.Length];
        Tape = new LayerTape(session.Interval);
        Training = [.. layers.Select(l => l.training)];
    }

    public ReversibleSession Session { get; }

    public Bijection[] Layers { get; }

    /// <summary>Whether the layers were applied the other way round.</summary>
    public bool Inverse { get; }

    public LayerTape Tape { get; }

    public bool HasContext { get; private init; }

    /// <summary>The number of tokens.</summary>
    public int Tokens { get; private set; }

    /// <summary>Whether the layers trained, in the order of <see cref="Layers"/>.</summary>
    public bool[] Training { get; }

    /// <summary>True from the start of a backward pass until it has succeeded.</summary>
    public bool Failed { get; set; }

    /// <summary>What the backward pass of the last part of the weights gave to autograd.</summary>
    public List<Tensor> Given { get; } = [];

    /// <summary>Applies layers in the given order.</summary>
    public static (Tensor Value, Tensor? LogDet) Apply(ReversibleSession session, Bijection[] layers, Tensor input, Tensor? context,
        bool inverse)
    {
        using var suspended = ReversibleSession.Suspend();
        var parameters = layers.SelectMany(l => l.parameters()).Where(p => p.requires_grad)
            .Distinct<Parameter>(ReferenceEqualityComparer.Instance).ToArray();
        if (parameters.Length == 0 && !input.requires_grad && context is not { requires_grad: true })
            return LayerSequence.Run(layers, input, Pass.Here(context), inverse);
        using var scope = NewDisposeScope();
        var run = new ReversibleRun(session, layers, inverse, parameters) { HasContext = context is not null };
        var noise = NoiseState();
        var outputs = ReversibleFunction.Apply([input, .. context is null ? (object[])[] : [context], .. run.MakeTokens(), run]);
        if (NoiseState().Zip(noise).Any(n => !n.First.equal(n.Second).all().item<bool>()))
            throw new InvalidOperationException(
                $"A layer of {string.Join(", ", layers.Select(l => l.GetName()).Distinct())} drew random numbers, so it cannot be " +
                $"computed again in the backward pass. Let its {nameof(Bijection.IsRepeatable)} be false, or train without " +
                $"{nameof(Flow.ReversibleTraining)}.");
        return (scope.MoveToOuter(outputs[0]), scope.MoveToOuter(outputs[1]));
    }

    /// <summary>The parameters of a layer that take part, each with its place.</summary>
    public IEnumerable<(Parameter Parameter, int Place)> ParametersOf(Bijection layer)
    {
        foreach (var parameter in layer.parameters())
            if (places.TryGetValue(parameter, out var place)) yield return (parameter, place);
    }

    /// <summary>The place of a parameter that takes part; else null.</summary>
    public int? PlaceOf(Parameter parameter) => places.TryGetValue(parameter, out var place) ? place : null;

    /// <summary>The gradients of parameters, which autograd takes: those that the run has computed, NaN if it has failed.</summary>
    public Tensor?[] TakeGradients(int start, int end)
    {
        if (Failed) return [.. parameters[start..end].Select(p => full_like(p, Scalars.Of(float.NaN), requires_grad: false))];
        var taken = gradients[start..end];
        Array.Clear(gradients, start, end - start);
        return taken;
    }

    /// <summary>Adds to the gradient of a parameter, and takes the tensor over.</summary>
    public void AddGradient(int place, Tensor? gradient, DisposeScope home)
    {
        if (gradient is null) return;
        if (gradients[place] is { } sum) sum.add_(gradient, Scalars.One);
        else gradients[place] = gradient.MoveToOtherDisposeScope(home);
    }

    /// <summary>Drops the gradients of parameters.</summary>
    public void ClearGradients()
    {
        foreach (var gradient in gradients) gradient?.Dispose();
        Array.Clear(gradients);
    }

    /// <summary>Gives the gradients of parameters to the scope around <paramref name="scope"/>.</summary>
    public void KeepGradients(DisposeScope scope)
    {
        foreach (var gradient in gradients.OfType<Tensor>()) scope.MoveToOuter(gradient);
    }

    // One number for each part of the weights. The weights are inputs of these, and not of the run, so that the gradients of a part can go
    // as soon as autograd has added them up.
    private IEnumerable<Tensor> MakeTokens()
    {
        var share = parameters.Sum(p => p.numel()) / Parts;
        for (var start = 0; start < parameters.Length;)
        {
            var end = start;
            for (long size = 0; end < parameters.Length && size <= share; end++) size += parameters[end].numel();
            Tokens++;
            yield return WeightsFunction.Apply([.. parameters[start..end], this, start])[0];
            start = end;
        }
    }

    private static Tensor[] NoiseState() => PassState.Current?.Generator is { } generator ? [get_rng_state(), generator.get_state()]
        : [get_rng_state()];
}
