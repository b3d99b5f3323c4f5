namespace RealNvp;

/// <content>What a file is, without building anything.</content>
public abstract partial class FlowModel
{
    /// <summary>Reads what a file says of itself: class and options of the model, version
    /// of the library, names of columns, rows of training, held-out score.</summary>
    /// <remarks>Only the header is read, so the checksum is not compared; nothing is built.
    /// Also for checkpoints, and for files of <see cref="Flow.SaveWeights(string)"/>.</remarks>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The header is damaged, or the file is no file of this library.</exception>
    public static FileDescription Describe(string path)
    {
        using var reader = SafeTensorsReader.Open(path);
        return new FileDescription(reader);
    }

    /// <summary>The same of a stream, which is read up to the end of the header and left open.</summary>
    /// <param name="stream">Stands at the first byte of the file.</param>
    /// <exception cref="InvalidDataException">The header is damaged, or it is none of this library.</exception>
    public static FileDescription Describe(Stream stream)
    {
        using var reader = SafeTensorsReader.Of(stream);
        return new FileDescription(reader);
    }
}
