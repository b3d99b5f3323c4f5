using RealNvp.Internal;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Refuses dynamics that are no function of an example's own time and place, when a layer is built: a solver
/// would chase noise with ten thousand steps, and log-determinants would be wrong without a word.</summary>
internal static class DynamicsCheck
{
    /// <summary>Throws if dynamics draw random numbers or mix the examples of a batch. In evaluation mode, without gradients.</summary>
    /// <param name="dynamics">The dynamics.</param>
    /// <param name="like">Two examples, (2, ...).</param>
    /// <param name="owner">Who takes them.</param>
    /// <param name="parameter">What the caller called them.</param>
    public static void Require(Dynamics dynamics, Tensor like, string owner, string parameter)
    {
        if (dynamics.modules().FirstOrDefault(Mixes) is { } mixing)
            throw new ArgumentException(
                $"The {dynamics.GetName()} of {owner} has a {mixing.GetType().Name}, in which the examples of a batch influence each " +
                $"other in training, so that an example has no path of its own. Leave it out.", parameter);
        if (dynamics.modules().FirstOrDefault(IsRandom) is { } random)
            throw new ArgumentException(
                $"The {dynamics.GetName()} of {owner} has a {random.GetType().Name}, which draws anew at each evaluation, so that there " +
                $"is no equation to solve. Leave it out.", parameter);
        using var scope = NewDisposeScope();
        var x = linspace(-1, 1, like.numel(), like.dtype, like.device).reshape(like.shape);
        var t = linspace(0, 1, 2, like.dtype, like.device);
        var context = dynamics.ContextSize == 0 ? null
            : linspace(-1, 1, 2 * dynamics.ContextSize, like.dtype, like.device).reshape(2, dynamics.ContextSize);
        var (all, again) = (dynamics.Velocity(t, x, context), dynamics.Velocity(t, x, context));
        if (Differ(all, again))
            throw new ArgumentException(
                $"The {dynamics.GetName()} of {owner} gives two velocities for the same t and x, so that there is no equation to solve. " +
                $"It must draw no random numbers and keep nothing from call to call.", parameter);
        var alone = dynamics.Velocity(t.narrow(0, 1, 1), x.narrow(0, 1, 1), context?.narrow(0, 1, 1));
        if (Differ(alone, all.narrow(0, 1, 1)))
            throw new ArgumentException(
                $"The {dynamics.GetName()} of {owner} gives an example another velocity alone than beside others. Take no mean, maximum " +
                $"or norm over the batch.", parameter);
    }

    private static bool Mixes(nn.Module module) => module is IMixesBatch or BatchNorm;

    private static bool IsRandom(nn.Module module) =>
        module is Dropout or Dropout1d or Dropout2d or Dropout3d or AlphaDropout or FeatureAlphaDropout or IDrawsInTraining;

    // kernels for one row and for two may round otherwise; NaN is for the solver to name
    private static bool Differ(Tensor a, Tensor b)
    {
        var size = Scalars.Of(Math.Sqrt(finfo(a.dtype).eps));
        return a.sub(b).abs().gt(a.abs().maximum(b.abs()).amax().clamp_min(Scalars.One).mul(size)).any().Fetch<bool>();
    }
}
