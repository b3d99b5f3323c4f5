namespace RealNvp.Samples.Common;

/// <summary>The small data sets that come with the samples. Each folder has a README with source, licence and citation.</summary>
public static class SampleData
{
    /// <summary>The folder of the 8 x 8 digits, for <see cref="ImageFolder.Open"/>: values 0 to 16.</summary>
    public static string Digits => Find("digits");

    /// <summary>The table of breast cancer features, for <see cref="Csv.Read"/>: 30 features and the label "malignant".</summary>
    public static string BreastCancer => Path.Combine(Find("wdbc"), "wdbc.csv");

    /// <summary>The table of speech frames, for <see cref="Csv.Read"/>: 12 features
    /// and the label "other_speaker", 1 for 50 of 1,456 rows.</summary>
    public static string Vowels => Path.Combine(Find("vowels"), "vowels.csv");

    /// <summary>The folder of the torsion angles of alanine dipeptide: two runs, .npy.gz files of 20,000 pairs of radians.</summary>
    public static string TorsionAngles => Find("torsion-angles");

    private static string Find(string name)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "data", name);
        // in a notebook the base directory is the host's
        if (!Directory.Exists(folder))
            folder = Path.Combine(Path.GetDirectoryName(typeof(SampleData).Assembly.Location) ?? ".", "data", name);
        return Directory.Exists(folder)
            ? folder
            : throw new DirectoryNotFoundException(
                $"The sample data '{name}' is not in {Path.Combine(AppContext.BaseDirectory, "data")}. The build copies it there from " +
                $"samples/data.");
    }
}
