using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Any network as dynamics.</summary>
internal sealed class ModuleDynamics : Dynamics
{
    private readonly nn.Module network;

    public ModuleDynamics(nn.Module network, long contextSize) : base(NameOf(network), contextSize: contextSize)
    {
        ModuleLife.Alive(network, nameof(network), nameof(Dynamics));
        this.network = network;
        RegisterComponents();
    }

    public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null) =>
        network is nn.Module<Tensor, Tensor, Tensor, Tensor> conditional
        ? conditional.call(t, x, context!)
        : ((nn.Module<Tensor, Tensor, Tensor>)network).call(t, x);

    private static string NameOf(nn.Module network)
    {
        ArgumentNullException.ThrowIfNull(network);
        return $"{nameof(Dynamics)} of {network.GetType().Name}";
    }
}
