namespace RealNvp;
internal static class TorchBackend { public static string Checked(string name) => name; }
