using System.Text.Json.Serialization;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>The numbers of Adam that stay the same during a training run.</summary>
public sealed record AdamOptions
{
    private readonly double epsilon = 1e-8;

    /// <summary>The decay β1 of the average of gradients; from 0 to below 1, default 0.9.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is outside the range.</exception>
    public double Beta1 { get; init => field = Require.FromZeroToBelowOne(value, nameof(Beta1)); } = 0.9;

    /// <summary>The decay β2 of the average of squared gradients; from 0 to below 1, default 0.999.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is outside the range.</exception>
    public double Beta2 { get; init => field = Require.FromZeroToBelowOne(value, nameof(Beta2)); } = 0.999;

    /// <summary>The number ε that is added to the denominator; in 1e-30 ... 1, default 1e-8.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is outside the range.</exception>
    [JsonIgnore]
    public double Epsilon { get => epsilon; init => epsilon = Ranges.AdamEpsilon.Require(value, nameof(Epsilon), nameof(Epsilon)); }

    /// <summary>ε as a file has it, which may be older than the range: <see cref="TrainingOptions.Validate"/> speaks of it.</summary>
    [JsonInclude, JsonPropertyName(nameof(Epsilon))]
    internal double EpsilonInFile
    {
        get => epsilon;
        init => epsilon = Ranges.AdamEpsilon.HoldsInFile(value) ? value
            : Ranges.AdamEpsilon.Require(value, nameof(Epsilon), nameof(Epsilon));
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(AdamOptions), PrintMembers);
}
