using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The mean square of the difference between the velocity of a continuous flow and that of paths from latents to data.</summary>
internal sealed class FlowMatchingObjective : Objective
{
    // the time of an assignment grows with the third power: a tenth of a second here
    private const long MostPaired = 1024;

    private readonly FlowMatchingOptions options;
    private readonly TaughtPairs? teacher;
    private readonly string kind;

    public FlowMatchingObjective(FlowMatchingOptions options, TaughtPairs? teacher = null)
    {
        options.Validate();
        if (teacher is not null && options.Pairing is not null)
            throw new ArgumentException(
                $"{nameof(Reflow)} has the pairs of its teacher; got {nameof(FlowMatchingOptions.Pairing)} = {options.Pairing}. Leave " +
                    $"it out.",
                nameof(options));
        (this.options, this.teacher, kind) = (options, teacher, teacher is null ? nameof(FlowMatching) : nameof(Reflow));
    }

    // pairs, and times that are spread over a batch
    public override ObjectiveTraits Traits { get; } = new() { MixesExamples = true };

    public override string Name
    {
        get
        {
            var strength = options.Pairing == FlowMatchingPairing.Sinkhorn
                ? string.Create(CultureInfo.InvariantCulture, $", regularization: {options.Regularization}") : "";
            var pairing = teacher is null ? $", pairing: {options.Pairing?.ToString() ?? "auto"}{strength}" : "";
            return string.Create(CultureInfo.InvariantCulture, $"{kind}(path: {options.Path}, sigma: {options.Sigma}{pairing})");
        }
    }

    public override Tensor Loss(Flow flow, TrainingBatch batch, long seed)
    {
        var owner = $"{nameof(Objective)}.{kind}";
        using var mode = flow.OwnMode();
        using var scope = NewDisposeScope();
        using var random = PassState.Seed(seed);
        var place = VelocityPlace.Of(flow, owner);
        RequireNothingElse(flow, place, owner);
        teacher?.Require(flow, owner);
        if (place.Dynamics.KeepsLength && !flow.BaseDensity.IsOnSphere)
            throw new ArgumentException(
                $"{owner} needs latents that the {place.Dynamics.GetName()} of the {flow.GetName()} can move to the data, but it keeps " +
                $"the lengths of vectors, and those of {flow.BaseDensity.GetName()} have other lengths. Use {nameof(UniformSphere)}.",
                nameof(flow));
        var paths = MatchedPaths.Of(flow, place.Layer, options);
        Tensor t, point, wanted;
        // an encoder of contexts is trained through the velocity
        var (input, context, forBase) = flow.Arriving(batch.X, batch.Context, owner);
        using (no_grad())
        {
            var generator = PassState.Current!.Generator!;
            // data in float64 are in the dtype of the weights behind the layer that converts them
            var x1 = place.Data(input, Pass.Here(context));
            var latents = teacher?.Latents(batch, seed, x1.dtype)
                ?? flow.BaseDensity.Sample(x1.shape[0], 1, x1.dtype, x1.device, generator, forBase);
            var x0 = place.Latents(latents, Pass.Here(context));
            if (teacher is null)
                x0 = MatchedPairs.Latents(Pairing(batch, owner), paths, x0, x1, options.Regularization, generator,
                    options.Pairing is null ? MostPaired : long.MaxValue);
            t = Times(x1, generator);
            (point, wanted) = paths.At(x0, x1, t, paths.NoiseFor(x1, generator));
        }
        var velocity = place.Dynamics.Velocity(t, point, place.Layer.ContextSize > 0 ? context : null);
        return scope.MoveToOuter(velocity.sub(wanted).pow(Scalars.Two).flatten(1).mean([1L]));
    }

    // one time in each of N parts of 0 ... 1, so that the loss of a batch
    // varies less, and in no order, because batches of validation have one
    private static Tensor Times(Tensor like, Generator generator)
    {
        var count = like.shape[0];
        var order = Noise.Permutation(count, generator).to(like.dtype, like.device);
        return order.add(Noise.Uniform([count], like.dtype, like.device, generator), Scalars.One).mul(Scalars.Of(1.0 / count));
    }

    private FlowMatchingPairing Pairing(TrainingBatch batch, string owner)
    {
        var (depends, why) = batch.Context is not null ? (true, "contexts") : (batch.WeightsUnread is not null, "weights");
        if (options.Pairing is not { } asked) return depends ? FlowMatchingPairing.Independent : FlowMatchingPairing.OptimalTransport;
        return !depends || asked == FlowMatchingPairing.Independent
            ? asked
            : throw new ArgumentException(
                $"{owner} was asked for pairs by {asked}, but the data have {why}: the latents that such pairs give to each of them are " +
                    $"not those that the base density draws. " +
                $"Leave {nameof(FlowMatchingOptions)}.{nameof(FlowMatchingOptions.Pairing)} out, or use " +
                    $"{FlowMatchingPairing.Independent}.");
    }

    // weights that the loss does not reach would stay what they are, in silence
    private static void RequireNothingElse(Flow flow, VelocityPlace place, string owner)
    {
        var own = place.Dynamics.parameters().Select(p => p.Handle).ToHashSet();
        foreach (var (name, parameter) in flow.named_parameters())
            if (parameter.requires_grad && !own.Contains(parameter.Handle)
                && flow.ContextEncoder?.parameters().Any(p => p.Handle == parameter.Handle) != true)
                throw new ArgumentException(
                    $"{owner} trains the velocity alone, but the {flow.GetName()} has other weights that are to be trained, the first " +
                    $"is {name}. Train them before, and freeze them: parameter.requires_grad_(false); or train all by " +
                    $"{nameof(MaximumLikelihood)}.", nameof(flow));
    }
}
