using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Copies of lists of tensors of one dtype and device by a few launches
/// for all of them, by way of TorchScript, as <see cref="AdamScript"/>.</summary>
internal static class BufferLists
{
    private static readonly Lazy<jit.CompilationUnit> unit = new(() => jit.compile(
        """
        def copy(targets: List[Tensor], sources: List[Tensor]):
            torch._foreach_copy_(targets, sources)
            return targets[0]

        def keep(lives: List[Tensor], copies: List[Tensor], opened: Tensor):
            values: List[Tensor] = []
            earlier: List[Tensor] = []
            for live in lives:
                values.append(live.reshape(-1))
            for copy in copies:
                earlier.append(copy.reshape(-1))
            kept = torch.where(opened, torch.cat(values), torch.cat(earlier))
            parts: List[Tensor] = []
            start = 0
            for live in lives:
                end = start + live.numel()
                parts.append(kept[start:end].view_as(live))
                start = end
            torch._foreach_copy_(lives, parts)
            return opened

        """));

    /// <summary>targets = sources. The caller has a dispose scope, and grad mode off.</summary>
    public static void Copy(Tensor[] targets, Tensor[] sources) => unit.Value.invoke("copy", targets, sources);

    /// <summary>lives = copies, unless a bool on their device is true. The caller has a dispose scope, and grad mode off.</summary>
    public static void Keep(Tensor[] lives, Tensor[] copies, Tensor opened) => unit.Value.invoke("keep", lives, copies, opened);
}
