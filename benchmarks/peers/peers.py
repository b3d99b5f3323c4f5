#!/usr/bin/env python3
"""Times other normalizing-flow libraries on the workloads that README.md lists.

Peers: nflows, normflows, zuko, FrEIA (installed, or checked out), chrischute-real-nvp and glow-pytorch (checkouts only:
they have no package), and, as checkouts too, residual-flows and ffjord. Checkouts are looked for in the folder of
--checkouts, or else of the environment variable PEERS, as nflows, normalizing-flows, zuko, FrEIA, real-nvp, glow-pytorch,
residual-flows, ffjord and torchdiffeq (which ffjord and zuko need); a checkout goes before an installed package.
A peer that cannot be imported is left out, with a line on stderr.

    python3 peers.py --out peers.jsonl [--case SUBSTR] [--peer NAME] [--threads N] [--rounds N]
        times everything in turn, a fresh process for each peer and case: a table on stdout, JSON lines added to the file
    python3 peers.py --errors --case ffjord2d_b100|cnf2d_b100
        trains a continuous flow for 200 steps and prints, for three tolerances, how often the network is called for a
        log-probability in float32 and how far it is from the same weights in float64 at 1e-12
    python3 peers.py --list [--case SUBSTR] [--peer NAME]
        prints what can be run here, one "PEER CASE" a line
    python3 peers.py --cold --peer NAME --case CASE [--threads N]
        builds the case, scores its batch once, prints a line of JSON and waits for the end of stdin
    python3 peers.py --serve --peer NAME --case CASE [--threads N]
        one case on command, so that another program can alternate with it. Prints {"ready": true, "phases": [...], ...}
        once the model is built and then obeys the lines of its stdin: "time PHASE ROUNDS" runs the phase ROUNDS times
        and prints {"phase": ..., "times": [ms, ...], "peak_rss_mb": ..., "rss_before_mb": ...}; "quit" or the end of
        stdin ends it. Nothing is warmed up: ignore the first few rounds of a phase. It burns no CPU between commands.
        A line with "error" answers a command that failed. stdout has the JSON lines alone.

Needs PyTorch, NumPy and what the peers need. Times are wall-clock milliseconds.
"""
import argparse
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings

PHASES = ("train", "logprob", "sample")
# vector case: (features, layers, hidden width, batch)
SIZES = {"toy2d_affine_b256": (2, 8, 64, 256), "tab_affine_b512": (43, 10, 256, 512), "tab_affine_b4096": (43, 10, 256, 4096),
         "tab_rqs_b512": (43, 10, 256, 512), "tab_rqs_b4096": (43, 10, 256, 4096),
         "maf_b512": (43, 5, 256, 512), "iaf_b512": (43, 5, 256, 512)}
# row case: (features, layers, hidden width of a residual network, its blocks), for 1, 4 and 16 rows: our presets
ROWS = {f"row_{name}_b{batch}": (kind, batch, *sizes) for name, kind, sizes in (
    ("toy2d", "affine", (2, 8, 64, 1)), ("affine", "affine", (10, 10, 128, 2)), ("rqs", "rqs", (10, 10, 128, 2)),
    ("maf", "maf", (10, 5, 128, 2))) for batch in (1, 4, 16)}
ROWS["nsf_b512"] = ("rqs", 512, 10, 10, 128, 2)  # the same preset in training
PRODUCT = "product_4096x256x256"  # what the machine is measured by, of any peer
COUPLING, GLOW = tuple(SIZES)[:5], ("glow32_b16", "glow32_k32_b16")
RESIDUAL = ("resflow2d_b500",)
RATE = 1e-4  # of Adam

# peer: (folder of a checkout, module to import, cases, how to get it)
CLONE = "git clone https://github.com/{} into the folder of --checkouts"
PEERS = {"nflows": ("nflows", "nflows.flows", tuple(SIZES) + tuple(ROWS), "pip install nflows"),
         "normflows": ("normalizing-flows", "normflows", COUPLING + GLOW + ("resflow2d_3_b500",), "pip install normflows"),
         "zuko": ("zuko", "zuko", tuple(SIZES) + ("cnf2d_b100",), "pip install zuko"),
         "FrEIA": ("FrEIA", "FrEIA.modules", COUPLING, "pip install FrEIA"),
         "chrischute-real-nvp": ("real-nvp", "models.real_nvp", ("img_realnvp_b16",), CLONE.format("chrischute/real-nvp")),
         "glow-pytorch": ("glow-pytorch", "model", GLOW, CLONE.format("rosinality/glow-pytorch")),
         "ffjord": ("ffjord", "lib.layers", ("ffjord2d_b100",), CLONE.format("rtqichen/ffjord")),
         # as its scripts train; with the plain gradient; with an inverse that stops at a true residual, as ours does
         "residual-flows": ("residual-flows", "resflows.layers", RESIDUAL, CLONE.format("rtqichen/residual-flows")),
         "residual-flows-basic": ("residual-flows", "resflows.layers", RESIDUAL, CLONE.format("rtqichen/residual-flows")),
         "residual-flows-1e-6": ("residual-flows", "resflows.layers", RESIDUAL, CLONE.format("rtqichen/residual-flows"))}


# Each builder returns (model, {phase: function}). load() imports torch, once the threads are set.

def phases(model, logprob, sample, loss, train=None, data=None):
    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    if train is None:
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=RATE)
    return model, {"train": train or step, "logprob": torch.no_grad()(logprob), "sample": torch.no_grad()(sample), "data": data}


def mlp(inputs, outputs, hidden):
    """The conditioner of the couplings: two hidden layers, ReLU."""
    class Mlp(torch.nn.Sequential):
        hidden_features = hidden  # nflows and normflows scale the spline's parameters by it

        def forward(self, x, context=None):
            return super().forward(x)
    nn = torch.nn
    return Mlp(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def build_nflows(case):
    from nflows import transforms as T
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    if case in ROWS:
        return build_nflows_rows(case, T, Flow, StandardNormal)
    features, layers, hidden, batch = SIZES[case]
    steps = []
    for k in range(layers):
        mask = torch.ones(features)
        mask[k % 2::2] = -1
        net = lambda i, o: mlp(i, o, hidden)
        if "affine" in case:
            steps.append(T.AffineCouplingTransform(mask, net))
        elif "rqs" in case:
            steps.append(T.PiecewiseRationalQuadraticCouplingTransform(mask, net, num_bins=8, tails="linear", tail_bound=3.0))
        else:
            made = T.MaskedAffineAutoregressiveTransform(features, hidden, num_blocks=1, use_residual_blocks=False)
            steps += [made if case.startswith("maf") else T.InverseTransform(made), T.ReversePermutation(features)]
    flow, x = Flow(T.CompositeTransform(steps), StandardNormal([features])), torch.randn(batch, features)
    return phases(flow, lambda: flow.log_prob(x), lambda: flow.sample(batch), lambda: -flow.log_prob(x).mean())


def build_nflows_rows(case, T, Flow, StandardNormal):
    """A few rows, as a service asks: networks with residual blocks, as the presets have."""
    from nflows.nn.nets import ResidualNet
    kind, batch, features, layers, hidden, blocks = ROWS[case]
    steps = []
    for k in range(layers):
        mask = torch.ones(features)
        mask[k % 2::2] = -1
        net = lambda i, o: ResidualNet(i, o, hidden_features=hidden, num_blocks=blocks)
        if kind == "affine":
            steps.append(T.AffineCouplingTransform(mask, net))
        elif kind == "rqs":
            steps += [T.LULinear(features, identity_init=True),
                      T.PiecewiseRationalQuadraticCouplingTransform(mask, net, num_bins=8, tails="linear", tail_bound=5.0)]
        else:
            steps += [T.MaskedAffineAutoregressiveTransform(features, hidden, num_blocks=blocks), T.ReversePermutation(features)]
    flow, x = Flow(T.CompositeTransform(steps), StandardNormal([features])).eval(), torch.randn(batch, features)
    model, functions = phases(flow, lambda: flow.log_prob(x), lambda: flow.sample(batch), lambda: -flow.log_prob(x).mean())
    with torch.no_grad():
        z = flow.transform_to_noise(x)
    functions["encode"] = torch.no_grad()(lambda: flow.transform_to_noise(x))
    functions["decode"] = torch.no_grad()(lambda: flow._transform.inverse(z))
    return model, functions


def build_product(case):
    a, b = torch.randn(4096, 256), torch.randn(256, 256)
    return torch.nn.Linear(256, 256), {"peer": lambda: torch.mm(a, b)}


def build_normflows(case):
    import normflows as nf
    if case in GLOW:
        return build_normflows_glow(nf, case)
    if case.startswith("resflow"):
        return build_normflows_residual(nf)
    from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
    from normflows.utils.masks import create_alternating_binary_mask
    features, layers, hidden, batch = SIZES[case]

    class Spline(PiecewiseRationalQuadraticCoupling):  # a normflows flow samples in forward, this coupling in inverse
        def forward(self, z):
            return super().inverse(z)

        def inverse(self, z):
            return super().forward(z)

    flows = []
    for k in range(layers):
        if "affine" in case:
            net = nf.nets.MLP([(features + 1) // 2, hidden, hidden, 2 * (features // 2)])
            flows += [nf.flows.AffineCouplingBlock(net), nf.flows.Permute(features, mode="swap")]
        else:
            flows.append(Spline(mask=create_alternating_binary_mask(features, even=bool(k % 2)), num_bins=8, tails="linear",
                                tail_bound=3.0, transform_net_create_fn=lambda i, o: mlp(i, o, hidden)))
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(features, trainable=False), flows)
    x = torch.randn(batch, features)
    return phases(flow, lambda: flow.log_prob(x), lambda: flow.sample(batch), lambda: flow.forward_kld(x))


def build_normflows_glow(nf, case):
    bases, merges, flows = [], [], []
    for level in range(3):
        channels, size = 3 * 2 ** (4 - level), 2 ** (2 + level)
        flows.append([nf.flows.GlowBlock(channels, 128, split_mode="channel", scale=True)
                      for _ in range(32 if "k32" in case else 8)] + [nf.flows.Squeeze()])
        merges += [nf.flows.Merge()] if level else []
        bases.append(nf.distributions.DiagGaussian((channels // 2 if level else channels, size, size)))
    flow, x = nf.MultiscaleFlow(bases, flows, merges, class_cond=False), torch.rand(16, 3, 32, 32)
    torch.no_grad()(flow.log_prob)(x)  # initializes the ActNorms from data
    return phases(flow, lambda: flow.log_prob(x), lambda: flow.sample(16), lambda: flow.forward_kld(x))


def build_zuko(case):
    import zuko
    if case.startswith("cnf"):
        flow, x = zuko.flows.CNF(2, hidden_features=(64, 64, 64), exact=True), two_moons(100)
        return phases(flow, lambda: flow().log_prob(x), lambda: flow().sample((100,)), lambda: -flow().log_prob(x).mean(), data=x)
    features, layers, hidden, batch = SIZES[case]
    sizes = dict(transforms=layers, hidden_features=(hidden, hidden))
    if "affine" in case:
        flow = zuko.flows.RealNVP(features, **sizes)
    elif "rqs" in case:
        flow = zuko.flows.NICE(features, univariate=zuko.transforms.MonotonicRQSTransform, shapes=[(8,), (8,), (7,)], **sizes)
    else:
        flow = zuko.flows.MAF(features, **sizes)
        if case.startswith("iaf"):
            flow = zuko.flows.Flow(flow.transform.inv, flow.base)
    x = torch.randn(batch, features)
    return phases(flow, lambda: flow().log_prob(x), lambda: flow().sample((batch,)), lambda: -flow().log_prob(x).mean())


def build_freia(case):
    import FrEIA.framework as framework
    import FrEIA.modules as modules
    features, layers, hidden, batch = SIZES[case]
    flow, net = framework.SequenceINN(features), lambda i, o: mlp(i, o, hidden)
    if "affine" in case:
        for _ in range(layers):
            flow.append(modules.AllInOneBlock, subnet_constructor=net, permute_soft=False)
    else:
        for k in range(layers // 2):  # each block couples both halves
            flow.append(modules.RationalQuadraticSpline, subnet_constructor=net, bins=8)
            flow.append(modules.PermuteRandom, seed=k)
    x, constant = torch.randn(batch, features), 0.5 * features * math.log(2 * math.pi)

    def logprob():
        z, logdet = flow(x)
        return -0.5 * z.pow(2).sum(1) - constant + logdet
    return phases(flow, logprob, lambda: flow(torch.randn(batch, features), rev=True, jac=False), lambda: -logprob().mean())


def build_chrischute(case):
    import util
    from models import RealNVP, RealNVPLoss
    flow, nll = RealNVP(num_scales=2, in_channels=3, mid_channels=32, num_blocks=4), RealNVPLoss()
    optimizer = torch.optim.Adam(util.get_param_groups(flow, 5e-5, norm_suffix="weight_g"), lr=1e-3)
    x = torch.rand(16, 3, 32, 32)

    def train():
        flow.train()
        optimizer.zero_grad()
        nll(*flow(x, reverse=False)).backward()
        util.clip_grad_norm(optimizer, 100.0)
        optimizer.step()
    return phases(flow, lambda: nll(*flow.eval()(x, reverse=False)),
                  lambda: torch.sigmoid(flow.eval()(torch.randn(16, 3, 32, 32), reverse=True)[0]), None, train)


def build_glow_pytorch(case):
    import model
    original = model.AffineCoupling.__init__
    model.AffineCoupling.__init__ = lambda self, channels, affine=True: original(self, channels, 128, affine)  # its width
    flow = model.Glow(3, 32 if "k32" in case else 8, 3, affine=True, conv_lu=True)
    model.AffineCoupling.__init__ = original
    x, shapes = torch.rand(16, 3, 32, 32) - 0.5, ((6, 16, 16), (12, 8, 8), (48, 4, 4))

    def loss():  # bits per dimension, as its training script has it
        logp, logdet, _ = flow(x)
        return (math.log(32.0) - (logdet + logp) / x[0].numel()).mean() / math.log(2)
    torch.no_grad()(loss)()  # initializes the ActNorms from data
    return phases(flow, loss, lambda: flow.reverse([torch.randn(16, *s) * 0.7 for s in shapes]), loss)


def two_moons(count):
    """Two half circles with noise, each feature with mean 0 and deviation 1: random weights see what a data set is like."""
    angle, upper = torch.rand(count) * math.pi, torch.rand(count) < 0.5
    x = torch.stack([torch.where(upper, angle.cos(), 1 - angle.cos()), torch.where(upper, angle.sin(), 0.5 - angle.sin())], 1)
    x = x + 0.05 * torch.randn(count, 2)
    return (x - x.mean(0)) / x.std(0)


def normal_nll(z, logdet):
    return -(-0.5 * math.log(2 * math.pi) - z.pow(2) / 2).sum(1, keepdim=True) + logdet


def build_ffjord(case):
    import lib.layers as layers
    net = layers.ODEnet(hidden_dims=(64, 64, 64), input_shape=(2,), strides=None, conv=False, layer_type="concatsquash",
                        nonlinearity="tanh")
    function = layers.ODEfunc(diffeq=net, divergence_fn="brute_force", residual=False, rademacher=False)
    flow = layers.SequentialFlow([layers.CNF(odefunc=function, T=0.5, train_T=True, solver="dopri5", atol=1e-5, rtol=1e-5)])
    x = two_moons(100)

    def loss():
        return normal_nll(*flow(x, torch.zeros(100, 1))).mean()
    return phases(flow, loss, lambda: flow(torch.randn(100, 2), reverse=True), loss, data=x)


def build_residual_flows(case, basic=False, tolerance=None):
    import numpy
    from resflows.layers import base, iResBlock, SequentialFlow

    class Block(iResBlock):
        def _inverse_fixed_point(self, y, **_):
            """Its own stops when the square of a step is below 1e-5; this one when |x + g(x) - y| is at most the tolerance."""
            if tolerance is None:
                return super()._inverse_fixed_point(y)
            x = y
            for _ in range(1000):
                g = self.nnet(x)
                if (x + g - y).abs().max() <= tolerance:
                    return x
                x = y - g
            raise ArithmeticError("the inverse does not converge")

    def block(widths=(2, 128, 128, 128, 128, 2)):
        parts = []
        for i, o in zip(widths[:-1], widths[1:]):
            parts += [base.Swish(), base.get_linear(i, o, coeff=0.9, n_iterations=5, atol=None, rtol=None, domain=2., codomain=2.,
                                                    zero_init=o == 2)]
        return Block(torch.nn.Sequential(*parts), n_dist="geometric", n_power_series=None, exact_trace=False, n_samples=1,
                     neumann_grad=not basic, grad_in_forward=not basic)
    flow, x = SequentialFlow([block() for _ in range(10)]), two_moons(500)
    linear = [m for m in flow.modules() if isinstance(m, (base.SpectralNormLinear, base.InducedNormLinear))]
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-4)
    with torch.no_grad():  # random weights in place of zeros, as our case has them
        for layer in linear:
            if layer.weight.shape[0] == 2:
                layer.weight.normal_(0, 0.01)

    def loss():
        return normal_nll(*flow(x, torch.zeros(500, 1))).mean()

    def train():
        numpy.random.seed(1)  # the same numbers of terms each time
        flow.train()
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        for layer in linear:
            layer.compute_weight(update=True, n_iterations=5)
    return phases(flow, lambda: flow.eval() and loss().detach(), lambda: flow.eval().inverse(torch.randn(500, 2)), None, train)


def build_normflows_residual(nf):
    import numpy
    flows = []
    for _ in range(10):
        net = nf.nets.LipschitzMLP([2, 128, 128, 128, 2], init_zeros=False, lipschitz_const=0.9)
        flows += [nf.flows.Residual(net, reduce_memory=True), nf.flows.ActNorm(2)]
    flow, x = nf.NormalizingFlow(nf.distributions.DiagGaussian(2, trainable=False), flows), two_moons(500)
    torch.no_grad()(flow.log_prob)(x)  # initializes the ActNorms from data
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=1e-4)

    def train():
        numpy.random.seed(1)
        flow.train()
        optimizer.zero_grad()
        flow.forward_kld(x).backward()
        optimizer.step()
        nf.utils.update_lipschitz(flow, 5)
    return phases(flow, lambda: flow.eval().log_prob(x).detach(), lambda: flow.eval().sample(500), None, train)


BUILDERS = dict(zip(PEERS, (build_nflows, build_normflows, build_zuko, build_freia, build_chrischute, build_glow_pytorch, build_ffjord,
                            build_residual_flows, lambda case: build_residual_flows(case, basic=True),
                            lambda case: build_residual_flows(case, tolerance=1e-6))))


def errors(case):
    """Prints the evaluations and the error of log p of a peer's continuous flow, trained for 200 steps."""
    import copy
    global RATE
    RATE = 5e-3
    flow, functions = BUILDERS["ffjord" if case.startswith("ffjord") else "zuko"](case)
    for _ in range(200):
        with torch.no_grad():
            functions["data"].copy_(two_moons(100))
        functions["train"]()
    x, counts = two_moons(256), [0]

    def solve(model, at, x):
        flow = copy.deepcopy(model).to(x.dtype).eval()
        if case.startswith("ffjord"):
            cnf = flow.chain[0]
            cnf.test_atol = cnf.test_rtol = at
            z, logdet = flow(x, torch.zeros(len(x), 1, dtype=x.dtype))
            return -normal_nll(z, logdet).detach().double().view(-1), int(cnf.num_evals())
        transform, counts[0] = flow.transform, 0
        transform.atol = transform.rtol = at
        original = transform.f

        def counted(*args, **kwargs):
            counts[0] += 1
            return original(*args, **kwargs)
        transform.f = counted
        return flow().log_prob(x).detach().double(), counts[0]

    truth, _ = solve(flow, 1e-12, x.double())
    print(json.dumps({"loss": round(float(-truth.mean()), 4)}))
    for tolerance in (1e-4, 1e-5, 1e-6):
        value, evaluations = solve(flow, tolerance, x)
        error = (value - truth).abs()
        print(json.dumps({"case": case, "tolerance": tolerance, "evaluations": evaluations, "largest_error": float(f"{float(error.max()):.3g}"),
                          "mean_error": float(f"{float(error.mean()):.3g}")}), flush=True)


def load(threads):
    global torch
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
        os.environ[name] = str(threads)  # before torch is imported
    warnings.filterwarnings("ignore")
    import numpy
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    numpy.random.seed(0)


def load_peer(peer, checkouts):
    folder, module, _, get = PEERS[peer]
    for folder in (folder, "torchdiffeq") if checkouts else ():
        path = os.path.abspath(os.path.join(checkouts, folder))
        if os.path.isdir(path):
            sys.path.insert(0, path)
    try:
        importlib.import_module(module)
        return True
    except Exception as error:  # whatever an import may raise
        print(f"{peer}: left out, {type(error).__name__}: {error} (to get it: {get})", file=sys.stderr)
        return False


def memory(key):
    """VmRSS or VmHWM in MB; None where there is no /proc."""
    try:
        with open("/proc/self/status") as status:
            return next(round(int(line.split()[1]) / 1024, 1) for line in status if line.startswith(key))
    except (OSError, StopIteration):
        return None


def time_phase(phase, function, rounds):
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # restarts VmHWM
    except OSError:
        pass  # the peak is then the whole process's
    before, times = memory("VmRSS"), []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(round((time.perf_counter() - start) * 1e3, 4))
    return {"phase": phase, "times": times, "peak_rss_mb": memory("VmHWM") or 0, "rss_before_mb": before or 0}


def serve(args):
    out = os.fdopen(os.dup(1), "w")  # a peer that prints must not disturb the JSON lines
    os.dup2(2, 1)

    def say(**line):
        print(json.dumps(line), file=out, flush=True)

    try:
        if args.case not in PEERS[args.peer][2] + (PRODUCT,):
            raise ValueError("the peer has no such case")
        load(args.threads)
        if args.case == PRODUCT:
            model, functions = build_product(args.case)
        elif not load_peer(args.peer, args.checkouts):
            raise ImportError("the peer cannot be imported")
        else:
            model, functions = BUILDERS[args.peer](args.case)
    except Exception as error:
        say(ready=False, peer=args.peer, case=args.case, error=f"{type(error).__name__}: {error}")
        return 1
    names = [p for p in PHASES + ("encode", "decode", "peer") if p in functions and (p == "train" or args.case != "glow32_k32_b16")]
    say(ready=True, peer=args.peer, case=args.case, phases=names, threads=args.threads, torch=torch.__version__,
        tuned="OPENBLAS_CORETYPE" in os.environ and "MALLOC_MMAP_THRESHOLD_" in os.environ,
        params=sum(p.numel() for p in model.parameters() if p.requires_grad))
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        if words == ["quit"]:
            break
        if len(words) != 3 or words[0] != "time" or words[1] not in names or not words[2].isdecimal():
            say(error=f"not a command: {line.strip()}")
            continue
        try:
            say(**time_phase(words[1], functions[words[1]], int(words[2])))
        except Exception as error:
            say(phase=words[1], error=f"{type(error).__name__}: {error}")
    return 0


def cold(args):
    """Builds a case, scores once, says so, and waits for the end of stdin: from the start of the process that is a cold start."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    load(args.threads)
    if args.case not in PEERS[args.peer][2] or not load_peer(args.peer, args.checkouts):
        return 1
    BUILDERS[args.peer](args.case)[1]["logprob"]()
    print(json.dumps(dict(phase="cold", times=[], peak_rss_mb=memory("VmHWM") or 0, rss_before_mb=0)), file=out, flush=True)
    sys.stdin.read()
    return 0


def run_all(args):
    own = [sys.executable, os.path.abspath(__file__), "--threads", str(args.threads), "--checkouts", args.checkouts]
    chosen = ["--case", args.case] + (["--peer", args.peer] if args.peer else [])
    listed = subprocess.run(own + ["--list"] + chosen, stdout=subprocess.PIPE, text=True, check=True).stdout
    row = "{:<20} {:<26} {:>10} {:>10} {:>10} {:>7} {:>9} {:>10}".format
    print(row("peer", "case/phase", "median ms", "min ms", "max ms", "rounds", "peak MB", "params"), flush=True)
    failed = 0
    for peer, case in (line.split() for line in listed.splitlines()):
        child = subprocess.Popen(own + ["--serve", "--peer", peer, "--case", case], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def ask(command=None):
            if command:
                print(command, file=child.stdin, flush=True)
            answer = json.loads(child.stdout.readline() or '{"error": "the process ended"}')
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer

        try:
            ready = ask()
            for phase in ready["phases"]:
                warm = min(ask(f"time {phase} 3")["times"])
                answer = ask(f"time {phase} {args.rounds or max(7, min(200, int(1000 / warm)))}")
                times = answer["times"]
                line = dict(peer=peer, case=case, phase=phase, threads=args.threads, median=round(statistics.median(times), 4),
                            min=min(times), max=max(times), rounds=len(times), peak_rss_mb=answer["peak_rss_mb"],
                            rss_before_mb=answer["rss_before_mb"], **{k: ready[k] for k in ("torch", "tuned", "params")})
                print(row(peer, f"{case}/{phase}", *(f"{line[k]:.3f}" for k in ("median", "min", "max")), len(times),
                          str(line["peak_rss_mb"]), line["params"]), flush=True)
                if args.out:
                    with open(args.out, "a") as file:
                        file.write(json.dumps(line) + "\n")
        except (RuntimeError, OSError) as error:
            failed = 1
            print(f"{peer} {case}: {error}", file=sys.stderr)
        child.communicate()  # closes its stdin, which ends it
    return failed


def main():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="", help="append JSON lines to this file")
    parser.add_argument("--case", default="", help="only cases that contain this; with --serve, the case")
    parser.add_argument("--peer", choices=PEERS, help="only this peer")
    parser.add_argument("--threads", type=int, default=cores, help="threads of PyTorch (default: the cores)")
    parser.add_argument("--rounds", type=int, default=0, help="timed rounds (default: a second's worth, 7 to 200)")
    parser.add_argument("--checkouts", default=os.environ.get("PEERS", ""), help="folder with checkouts of peers")
    parser.add_argument("--errors", action="store_true", help="errors and evaluations of a continuous flow, in place of times")
    parser.add_argument("--list", action="store_true", help="print what can be run")
    parser.add_argument("--cold", action="store_true", help="score a case once, and say so")
    parser.add_argument("--serve", action="store_true", help="time one case on command")
    args = parser.parse_args()
    if args.errors:
        load(args.threads)
        if not load_peer("ffjord" if args.case.startswith("ffjord") else "zuko", args.checkouts):
            return 1
        errors(args.case)
        return 0
    if args.cold:
        return cold(args)
    if args.serve:
        if not args.peer or not args.case:
            parser.error("--serve needs --peer and --case")
        return serve(args)
    if args.list:
        load(args.threads)
        for peer in [args.peer] if args.peer else PEERS:
            cases = [case for case in PEERS[peer][2] if args.case in case]
            if cases and load_peer(peer, args.checkouts):
                print("".join(f"{peer} {case}\n" for case in cases), end="")
        return 0
    return run_all(args)


if __name__ == "__main__":
    sys.exit(main())
