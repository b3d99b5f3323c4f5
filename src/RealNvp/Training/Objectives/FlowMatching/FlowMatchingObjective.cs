using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The mean square of the difference between the velocity of a continuous flow and that of paths from latents to data.</summary>
internal sealed class FlowMatchingObjective : Objective
{
    private readonly FlowMatchingOptions options;

    public FlowMatchingObjective(FlowMatchingOptions options)
    {
        options.Validate();
        this.options = options;
    }

    public override string Name
    {
        get
        {
            var strength = options.Pairing == FlowMatchingPairing.Sinkhorn
                ? string.Create(CultureInfo.InvariantCulture, $", regularization: {options.Regularization}") : "";
            return string.Create(CultureInfo.InvariantCulture,
                $"FlowMatching(path: {options.Path}, sigma: {options.Sigma}, pairing: {options.Pairing?.ToString() ?? "auto"}{strength})");
        }
    }

    public override Tensor Loss(Flow flow, TrainingBatch batch, long seed)
    {
        var owner = $"{nameof(Objective)}.{nameof(FlowMatching)}";
        using var mode = flow.OwnMode();
        using var scope = NewDisposeScope();
        using var random = PassState.Seed(seed);
        var place = VelocityPlace.Of(flow, owner);
        RequireNothingElse(flow, place, owner);
        var paths = new MatchedPaths(options.Path, options.Sigma, place.Layer.CircularFeatures);
        Tensor t, point, wanted;
        // an encoder of contexts is trained through the velocity
        var (input, context, forBase) = flow.Arriving(batch.X, batch.Context, owner);
        using (no_grad())
        {
            var generator = PassState.Current!.Generator!;
            var drawn = flow.BaseDensity.Sample(input.shape[0], 1, input.dtype, input.device, generator, forBase);
            var (x1, x0) = place.Around(input, drawn, Pass.Here(context));
            x0 = MatchedPairs.Latents(Pairing(batch, owner), paths, x0, x1, options.Regularization, generator);
            t = Times(x1, generator);
            (point, wanted) = paths.At(x0, x1, t, paths.IsNoisy ? Noise.Normal(x1.shape, x1.dtype, x1.device, generator) : null);
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
                        $"is {name}. " +
                    $"Train them before, and freeze them: parameter.requires_grad_(false); or train all by {nameof(MaximumLikelihood)}.",
                        nameof(flow));
    }
}
