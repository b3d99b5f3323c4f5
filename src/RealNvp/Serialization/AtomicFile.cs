namespace RealNvp;

/// <summary>Replaces a file as a whole: a reader, or a machine that loses power, sees the old bytes or the new ones.</summary>
internal static class AtomicFile
{
    /// <summary>Lets <paramref name="write"/> fill a temporary file beside <paramref name="path"/>, then gives it that name.</summary>
    /// <exception cref="IOException">It cannot be written; the message names
    /// <paramref name="path"/>. A file that is there stays as it is.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, where a right is missing.</exception>
    public static void Write(string path, Action<FileStream> write)
    {
        var target = PathCheck.Replaceable(path);
        TemporaryFiles.RemoveLeft(target);
        var temporary = TemporaryFiles.NameFor(target);
        UnixFileMode? mode = OperatingSystem.IsWindows() || !File.Exists(target) ? null : File.GetUnixFileMode(target);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None,
            BufferSize = 1 };
        if (mode is not null && !OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using (var stream = new FileStream(temporary, options))
            {
                write(stream);
                // Without this a crash after the rename can leave the new name with no bytes.
                stream.Flush(flushToDisk: true);
                // a file that only its owner may read stays one
                if (mode is { } kept && !OperatingSystem.IsWindows()) File.SetUnixFileMode(temporary, kept);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e)
        {
            TryDelete(temporary);
            if (e is not (IOException or UnauthorizedAccessException)) throw;
            // The name of the temporary file tells the user nothing.
            var message =
                $"'{path}' could not be written{(File.Exists(target) ? ", and the file that is there stays as it is" : "")}: " +
                    $"{e.Message.Replace(temporary, target, StringComparison.Ordinal).TrimEnd('.')}.";
            throw e is IOException ? new IOException(message, e) { HResult = e.HResult } : new UnauthorizedAccessException(message, e);
        }
    }

    private static void TryDelete(string path)
    {
        // The failure that brought us here is the one to report.
        try { File.Delete(path); }
        catch (IOException) { }
        catch (UnauthorizedAccessException) { }
    }
}
