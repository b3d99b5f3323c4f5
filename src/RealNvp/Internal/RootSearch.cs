using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>When a search for roots asks whether it has arrived.</summary>
/// <remarks>
/// On a CPU it asks after each step. On another device each question waits until all work before it is done, so there it is asked after
/// every eighth step: some steps too many cost less. A search that asks here keeps what it has found, so both ways end in the same bits.
/// </remarks>
internal static class RootSearch
{
    /// <summary>Steps between two questions to a device.</summary>
    public const int StepsOnDevice = 8;

    /// <summary>Steps between two questions, whatever the device; null: by the device. For tests.</summary>
    public static int? Every { get; set; }

    /// <summary>Whether a search asks after a step.</summary>
    /// <param name="step">The number of steps before it.</param>
    /// <param name="x">What is searched for, on its device.</param>
    public static bool Asks(int step, Tensor x) => (step + 1) % (Every ?? (x.device_type == DeviceType.CPU ? 1 : StepsOnDevice)) == 0;
}
