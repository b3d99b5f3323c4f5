using TorchSharp.Modules;

namespace RealNvp;

/// <summary>Parameters that an <see cref="AdamOptimizer"/> treats alike.</summary>
public sealed class ParameterGroup
{
    /// <summary>A group of named parameters, usually <c>module.named_parameters()</c> or a part of it.</summary>
    /// <param name="parameters">The parameters, each with a name that is unique in the optimizer. They are read once, here.</param>
    public ParameterGroup(IEnumerable<(string Name, Parameter Parameter)> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Parameters = [.. parameters];
    }

    /// <summary>The parameters with their names. The module keeps their ownership.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> Parameters { get; }

    /// <summary>The learning rate of a step is multiplied by this; at least 0, default 1. 0 freezes the group.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative or not finite.</exception>
    public double LearningRateFactor { get; init => field = Require.NotNegative(value, nameof(LearningRateFactor)); } = 1;

    /// <summary>The L2 penalty λ: λ times the parameter is added to its gradient, as PyTorch's Adam does; at least 0, default 0.</summary>
    /// <remarks>
    /// The loss behaves as if λ/2 times the sum of squares were added to it. This is not the decoupled decay of AdamW.
    /// It is added after the gradient is clipped.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative or not finite.</exception>
    public double WeightDecay { get; init => field = Require.NotNegative(value, nameof(WeightDecay)); }
}
