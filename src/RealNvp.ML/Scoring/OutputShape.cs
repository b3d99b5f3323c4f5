using Microsoft.ML;
using Microsoft.ML.Data;

namespace RealNvp.ML.Scoring;

/// <summary>The shape of a schema with the columns of the trainer.</summary>
/// <remarks>ML.NET lets nobody else make a <see cref="SchemaShape"/> column: one is borrowed from a mapping that makes the same.</remarks>
internal static class OutputShape
{
    public static SchemaShape Behind(SchemaShape before) =>
        new MLContext().Transforms.CustomMapping<Nothing, Scored>((_, _) => { }, null).GetOutputSchema(before);

    private sealed class Nothing;

    private sealed class Scored
    {
        public float LogDensity { get; set; }

        public float Score { get; set; }

        public bool PredictedLabel { get; set; }
    }
}
