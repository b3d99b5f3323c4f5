using System.CommandLine;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>What every sample does around its work: it reads options, chooses the device, and tells an error in one line.</summary>
public static class SampleProgram
{
    /// <summary>Reads the command line and runs the command.</summary>
    /// <param name="command">The command with its options and its action.</param>
    /// <param name="args">The command line.</param>
    /// <returns>0, or 1 after an error. The error is one line on the error stream.
    /// A bug in the sample itself still shows its stack trace.</returns>
    public static int Run(RootCommand command, string[] args)
    {
        ArgumentNullException.ThrowIfNull(command);
        var parsed = command.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            // of a word that nobody knows the first error may say that a command is missing
            var error = parsed.Errors.FirstOrDefault(e => parsed.UnmatchedTokens.Any(t => e.Message.Contains(t, StringComparison.Ordinal)));
            return Fail($"{(error ?? parsed.Errors[0]).Message} Use --help for the list of options.");
        }
        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException
            or ArithmeticException or DllNotFoundException)
        {
            return Fail(e.Message);
        }
    }

    /// <summary>The option <c>--device</c>: cpu (the default) or cuda.</summary>
    public static Option<string> DeviceOption() => new("--device") { Description = "cpu or cuda", DefaultValueFactory = _ => "cpu" };

    /// <summary>Finds the device that an option names.</summary>
    /// <param name="name">cpu or cuda.</param>
    /// <exception cref="ArgumentException">The name is another one, or there is no CUDA device.</exception>
    public static Device DeviceOf(string name) => name switch
    {
        "cpu" => CPU,
        "cuda" when cuda.is_available() => CUDA,
        "cuda" =>
            throw new ArgumentException(
                "No CUDA device was found. Use --device cpu, or build with -p:TorchBackend=cuda-linux or cuda-windows on a computer " +
                "with an NVIDIA GPU."),
        _ => throw new ArgumentException($"The device is '{name}'; expected cpu or cuda."),
    };

    /// <summary>Checks that a whole-number option is at least <paramref name="least"/>.</summary>
    /// <param name="option">The name of the option, with its dashes.</param>
    /// <param name="value">Its value.</param>
    /// <param name="least">The smallest value that is allowed.</param>
    /// <exception cref="ArgumentException">The value is smaller.</exception>
    public static void AtLeast(string option, long value, long least)
    {
        if (value < least) throw new ArgumentException($"{option} is {value}; expected at least {least}.");
    }

    private static int Fail(string message)
    {
        // .NET adds the name of a parameter, which says nothing to who runs a program
        var end = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        Console.Error.WriteLine($"error: {(end < 0 ? message : message[..end]).ReplaceLineEndings(" ")}");
        return 1;
    }
}
