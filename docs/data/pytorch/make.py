"""Writes flow.pt, which docs/pytorch.md reads: python3 make.py. Needs PyTorch and nflows."""
import torch
from nflows import distributions, flows, transforms
from nflows.nn import nets

torch.manual_seed(0)


def net(inputs, outputs):
    return nets.ResidualNet(inputs, outputs, hidden_features=16, num_blocks=1)


layers = []
for i in range(4):
    mask = torch.tensor([1, -1]) if i % 2 == 0 else torch.tensor([-1, 1])
    layers.append(transforms.PiecewiseRationalQuadraticCouplingTransform(mask, net, num_bins=8, tails="linear", tail_bound=3.0))
    layers.append(transforms.LULinear(2))
flow = flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([2]))

angle = torch.rand(2000) * 2 * torch.pi
data = torch.stack([angle.cos(), angle.sin()], 1) * 1.5 + 0.1 * torch.randn(2000, 2)
optimizer = torch.optim.Adam(flow.parameters(), lr=3e-3)
for step in range(300):
    optimizer.zero_grad()
    (-flow.log_prob(data).mean()).backward()
    optimizer.step()

flow.eval()
x = data[:5]
torch.save({"model": flow.state_dict(), "epoch": 300, "x": x, "log_prob": flow.log_prob(x).detach()}, "flow.pt")
