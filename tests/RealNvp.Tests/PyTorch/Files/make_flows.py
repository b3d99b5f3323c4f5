"""Writes the flows that the tests of importers read, each with log-probabilities by the library that made it:
python3 make_flows.py FOLDER. Needs PyTorch, nflows 0.14, zuko 1.4 and normflows 1.7 (made with torch 2.6.0)."""
import os
import sys

import torch

out = sys.argv[1]
torch.set_default_dtype(torch.float64)


def shake(model, seed):
    """Weights that are not what an initialization gives, and statistics that are not those of no batch."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return model.eval()


def save(name, model, features, log_prob, context=None, prefix=""):
    torch.manual_seed(7)
    x = torch.randn(6, features)
    c = None if context is None else torch.randn(6, context)
    state = {prefix + key: value for key, value in model.state_dict().items()}
    with torch.no_grad():
        value = {"model": state, "x": x, "log_prob": log_prob(model, x, c), "library": name.split("_")[0]}
    if c is not None:
        value["context"] = c
    torch.save(value, os.path.join(out, name + ".pt"))


def nflows():
    from nflows import distributions, flows, transforms
    from nflows.nn import nets

    def ask(model, x, c):
        return model.log_prob(x, c)

    torch.manual_seed(1)
    save("nflows_realnvp", shake(flows.SimpleRealNVP(4, 8, 3, 1, batch_norm_between_layers=True), 2), 4, ask, prefix="module.")

    save("nflows_batchnorm", shake(flows.SimpleRealNVP(3, 6, 2, 1, use_volume_preserving=True, batch_norm_within_layers=True), 8), 3, ask)
    layers = [transforms.MaskedAffineAutoregressiveTransform(3, 6, context_features=2, num_blocks=1, use_batch_norm=True)]
    save("nflows_maf_batchnorm", shake(flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([3])), 9), 3, ask,
         context=2)

    def spline(even, features, net):
        mask = torch.tensor([1.0 if (i % 2 == 0) == even else -1.0 for i in range(features)])
        return transforms.PiecewiseRationalQuadraticCouplingTransform(
            mask, net, num_bins=4, tails="linear", tail_bound=3.0)

    def resnet(inputs, outputs):
        return nets.ResidualNet(inputs, outputs, 8, context_features=2, num_blocks=2)

    # as sbi builds them: a standardization, then blocks of a spline and a linear map
    blocks = [transforms.CompositeTransform([spline(i % 2 == 0, 3, resnet), transforms.LULinear(3, identity_init=False)]) for i in range(2)]
    standard = transforms.PointwiseAffineTransform(torch.tensor([0.1, -0.2, 0.3]), torch.tensor([1.5, 0.5, 0.8]))
    model = flows.Flow(transforms.CompositeTransform([standard, transforms.CompositeTransform(blocks)]), distributions.StandardNormal([3]))
    save("nflows_sbi_nsf", shake(model, 3), 3, ask, context=2)

    layers = []
    for _ in range(2):
        layers += [transforms.MaskedAffineAutoregressiveTransform(3, 8, context_features=2, num_blocks=1), transforms.RandomPermutation(3)]
    save("nflows_maf_context", shake(flows.Flow(transforms.CompositeTransform(layers), distributions.DiagonalNormal([3])), 4), 3, ask,
         context=2)

    layers = [transforms.ActNorm(4)]
    for i in range(2):
        layers += [transforms.MaskedAffineAutoregressiveTransform(4, 9, num_blocks=2), transforms.ReversePermutation(4)]
    save("nflows_maf_residual", shake(flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([4])), 5), 4, ask)

    layers = [transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        3, 8, num_bins=4, tails="linear", tail_bound=2.5, num_blocks=1, use_residual_blocks=False, activation=torch.tanh)]

    class Net(torch.nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.mlp = nets.MLP([inputs], [outputs], [8, 6], activation=torch.tanh)

        def forward(self, x, context=None):
            return self.mlp(x)

    def mlp(inputs, outputs):
        net = nets.MLP([inputs], [outputs], [8, 6], activation=torch.tanh)
        plain = net.forward
        net.forward = lambda x, context=None: plain(x)
        return net

    coupling = transforms.AffineCouplingTransform(torch.tensor([1.0, -1.0, 1.0]), mlp,
                                                  scale_activation=transforms.AffineCouplingTransform.GENERAL_SCALE_ACTIVATION)
    layers.append(transforms.InverseTransform(coupling))
    model = flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([3]))
    save("nflows_tanh", shake(model, 6), 3, ask)


def zuko():
    import zuko

    def ask(model, x, c):
        return model(c).log_prob(x)

    torch.manual_seed(1)
    save("zuko_maf", shake(zuko.flows.MAF(4, transforms=3, hidden_features=(8, 8)), 2), 4, ask)
    save("zuko_maf_context", shake(zuko.flows.MAF(3, 2, transforms=2, randperm=True, hidden_features=(9, 9)), 3), 3, ask, context=2)
    save("zuko_nsf", shake(zuko.flows.NSF(3, 2, bins=4, transforms=2, hidden_features=(8, 6)), 4), 3, ask, context=2)
    save("zuko_nsf_coupling", shake(zuko.flows.NSF(5, bins=4, transforms=2, passes=2, randperm=True, hidden_features=(8, 8)), 5), 5, ask)
    save("zuko_realnvp", shake(zuko.flows.RealNVP(4, 1, transforms=3, hidden_features=(8, 8)), 6), 4, ask, context=1)
    save("zuko_nice_elu", shake(zuko.flows.NICE(3, transforms=2, randmask=True, hidden_features=(8,), activation=torch.nn.ELU), 7), 3, ask)


def normflows():
    import normflows as nf

    def ask(model, x, c):
        return model.log_prob(x)

    torch.manual_seed(1)
    base = nf.distributions.base.DiagGaussian
    steps = []
    for i in range(3):
        b = torch.tensor([float((i + j) % 2) for j in range(4)])
        steps += [nf.flows.MaskedAffineFlow(b, nf.nets.MLP([4, 8, 4]), nf.nets.MLP([4, 8, 4])), nf.flows.ActNorm(4)]
    model = nf.NormalizingFlow(base(4), steps)
    model = shake(model, 2)
    for flow in model.flows:
        if hasattr(flow, "data_dep_init_done"):
            flow.data_dep_init_done.fill_(1)
    save("normflows_realnvp", model, 4, ask)

    steps = []
    for i in range(3):
        steps += [nf.flows.AffineCouplingBlock(nf.nets.MLP([2, 8, 8, 2])), nf.flows.Permute(3, mode="swap")]
    save("normflows_blocks", shake(nf.NormalizingFlow(base(3), steps), 3), 3, ask)

    steps = []
    for i in range(2):
        steps += [nf.flows.CoupledRationalQuadraticSpline(3, 1, 8, num_bins=4, reverse_mask=i == 1), nf.flows.LULinearPermute(3)]
    steps.append(nf.flows.AutoregressiveRationalQuadraticSpline(3, 1, 8, num_bins=4))
    steps.append(nf.flows.Permute(3, mode="shuffle"))
    save("normflows_nsf", shake(nf.NormalizingFlow(base(3, trainable=False), steps), 4), 3, ask)


nflows()
zuko()
normflows()
