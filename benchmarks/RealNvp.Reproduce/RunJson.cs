using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp.Reproduce;

/// <summary>How the files of runs are written.</summary>
internal static class RunJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            Converters = { new JsonStringEnumConverter<RunEnd>() },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };
}

/// <summary>Why a training is where it is.</summary>
internal enum RunEnd
{
    /// <summary>The next call goes on.</summary>
    Unfinished,

    /// <summary>All steps of the recipe are done.</summary>
    StepsDone,

    /// <summary>Validation did not improve any more.</summary>
    StoppedEarly,

    /// <summary>The minutes of the recipe are over; more would help.</summary>
    TimeOver,
}
