using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Infrastructure;

internal static class MetaDevice
{
    /// <summary>Runs an action with the meta device as default: a tensor made without a device is then a meta tensor, and shows.</summary>
    public static void Run(Action action)
    {
        set_default_device(new Device(DeviceType.META));
        try { action(); }
        finally { set_default_device(CPU); }
    }
}
