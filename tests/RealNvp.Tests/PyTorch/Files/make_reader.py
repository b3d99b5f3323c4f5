"""Writes the files that PyTorchFileTests reads: python3 make_reader.py FOLDER. Needs PyTorch (made with 2.6.0)."""
import collections
import os
import pickle
import sys

import torch

out = sys.argv[1]
torch.manual_seed(1)


def save(name, value, **options):
    torch.save(value, os.path.join(out, name), **options)


net = torch.nn.Sequential(collections.OrderedDict(a=torch.nn.Linear(3, 4), bn=torch.nn.BatchNorm1d(4), b=torch.nn.Linear(4, 2)))
net(torch.arange(12.0).reshape(4, 3))
for parameter in net.parameters():
    parameter.data.copy_(torch.arange(parameter.numel()).reshape(parameter.shape) / 8 - 1)
state = net.state_dict()
save("state_dict.pt", state)
save("state_dict_legacy.pt", state, _use_new_zipfile_serialization=False)
for protocol in (3, 4, 5):
    save(f"state_dict_protocol{protocol}.pt", state, pickle_protocol=protocol)

base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
shared = torch.arange(6.0)
dtypes = {str(t).removeprefix("torch."): torch.tensor([0, 1, 2, 3]).to(t) for t in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
    torch.bool, torch.complex64, torch.complex128)}
values = {
    "epoch": 3, "lr": 1e-3, "none": None, "yes": True, "no": False, "large": 2**40, "negative": -7, "byte": 200, "word": 60000, "huge": 2**70,
    "text": "Grüße", "tuple": (1, "two", 3.5), "size": base.shape, "list": [torch.ones(2), {"deep": torch.zeros(1)}], 0: "key",
    "parameter": torch.nn.Parameter(torch.tensor([1.5, 2.5])), "transposed": base.t(), "part": base[1:3, ::2],
    "expanded": torch.tensor([[7.0]]).expand(3, 4), "empty": torch.zeros(0, 3), "number": torch.tensor(2.5), "dtypes": dtypes,
    "first": shared[:4], "second": shared[2:], "same": (shared, shared),
}
save("values.pt", values)
save("values_legacy.pt", values, _use_new_zipfile_serialization=False)

optimizer = torch.optim.Adam(net.parameters())
net(torch.randn(5, 3)).sum().backward()
optimizer.step()
save("checkpoint.pt", {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3})

# what must be refused
save("module.pt", net)
torch.jit.script(torch.nn.Linear(2, 1)).save(os.path.join(out, "script.pt"))
save("float8.pt", {"w": torch.zeros(2).to(torch.float8_e5m2)})
save("set.pt", {"s": {1, 2}})
save("device.pt", {"d": torch.device("cpu")})
save("sparse.pt", {"s": torch.eye(2).to_sparse()})


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


save("evil.pt", {"e": Evil()})
with open(os.path.join(out, "plain.pkl"), "wb") as file:
    pickle.dump({"a": 1}, file)
