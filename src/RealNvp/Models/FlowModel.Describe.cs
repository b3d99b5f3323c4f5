namespace RealNvp;

/// <content>What a file is, without building anything.</content>
public abstract partial class FlowModel
{
    /// <summary>Reads what a file says of itself: class and options of the model, version
    /// of the library, names of columns, rows of training, held-out score.</summary>
    /// <remarks>
    /// Nothing is built and no tensor is made. The file is read once to compare its checksum, at about the speed of the disk. Also for
    /// checkpoints, and for files of <see cref="Flow.SaveWeights(string)"/>.
    /// </remarks>
    /// <param name="path">The file.</param>
    /// <param name="checkContent">Whether the checksum is compared with all that the file holds (<see cref="FileDescription.IsIntact"/>);
    /// false reads the header alone, for files that are very large, or to look into one that is damaged.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or is no file of this library.</exception>
    public static FileDescription Describe(string path, bool checkContent = true)
    {
        using var reader = SafeTensorsReader.Open(path);
        return new FileDescription(reader, checkContent);
    }

    /// <summary>The same of a stream, which is left open.</summary>
    /// <param name="stream">Stands at the first byte of the file, and behind its last one afterwards; or behind the header, if there is
    /// no checksum or it is not asked for.</param>
    /// <param name="checkContent">Whether the checksum is compared with all that follows (<see cref="FileDescription.IsIntact"/>);
    /// false reads the header alone.</param>
    /// <exception cref="InvalidDataException">The data are damaged or cut off, or are none of this library.</exception>
    public static FileDescription Describe(Stream stream, bool checkContent = true)
    {
        using var reader = SafeTensorsReader.Of(stream);
        return new FileDescription(reader, checkContent);
    }
}
