#!/usr/bin/env python3
"""Trains nflows and zuko on rows that RealNvp.Reproduce has exported, with the recipe of ours: batches of 256, Adam at 1e-3, an
average of the weights with decay 0.999 that is validated each epoch, the best epoch kept, 20 epochs of patience. There are two
budgets, so many updates and so many minutes of the processor; the line has both.

    python3 tables.py FOLDER --data NAME --out peers.jsonl [--updates 1000] [--minutes 1] [--threads N] [--peer nflows|zuko] [--model TITLE]
        FOLDER holds train.npy, validation.npy and test.npy; one JSON line is added to the file for each peer and model

Checkouts are found as peers.py finds them: --checkouts FOLDER, or the environment variable PEERS.
"""
import argparse
import copy
import json
import os
import sys
import time

import peers

MODELS = ("MAF (5)", "RQ-NSF (C)", "RQ-NSF (AR)")


def nflows_model(title, features, hidden):
    from nflows import transforms as T
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.nn.nets import ResidualNet
    spline = dict(num_bins=8, tails="linear", tail_bound=5.0)
    steps = []
    for k in range(10 if title == "RQ-NSF (C)" else 5):
        if title == "RQ-NSF (C)":
            mask = torch.ones(features)
            mask[k % 2::2] = -1
            steps += [T.RandomPermutation(features), T.LULinear(features, identity_init=True), T.PiecewiseRationalQuadraticCouplingTransform(
                mask, lambda i, o: ResidualNet(i, o, hidden_features=hidden, num_blocks=2), **spline)]
            continue
        sizes = dict(features=features, hidden_features=hidden, num_blocks=2)
        steps += [T.RandomPermutation(features), T.MaskedAffineAutoregressiveTransform(**sizes) if title == "MAF (5)"
                  else T.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(**sizes, **spline)]
    flow = Flow(T.CompositeTransform(steps), StandardNormal([features]))
    return flow, lambda model, x: model.log_prob(x)


def zuko_model(title, features, hidden):
    import zuko
    sizes = dict(hidden_features=(hidden, hidden), randperm=True)
    if title == "MAF (5)":
        flow = zuko.flows.MAF(features, transforms=5, **sizes)
    else:
        coupling = dict(transforms=10, passes=2) if title == "RQ-NSF (C)" else dict(transforms=5)
        flow = zuko.flows.NSF(features, bins=8, **coupling, **sizes)
    return flow, lambda model, x: model().log_prob(x)


def fit(flow, log_prob, rows, updates, minutes, seed=0):
    """Two budgets in one training: the test of the best epoch so far after so many updates, and after so many minutes."""
    torch.manual_seed(seed)
    train, validation, test = rows
    average, best, best_value, patience = copy.deepcopy(flow), None, -float("inf"), 0
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    # of the processor, as a machine may be shared; scores of the test rows do not count
    start, apart, steps, ended = time.process_time(), 0.0, 0, {}

    def used():
        return (time.process_time() - start - apart) / 60

    def mean(model, x):
        model.eval()
        with torch.no_grad():
            return float(torch.cat([log_prob(model, part).double() for part in x.split(2000)]).mean())

    def validate():
        nonlocal best, best_value, patience
        value = mean(average, validation)
        patience += 1
        if value > best_value:
            best, best_value, patience = copy.deepcopy(average), value, 0

    def end(budget):
        nonlocal apart
        if best is None or budget == "updates":
            validate()
        before = time.process_time()
        ended[budget] = dict(test=round(mean(best, test), 4), validation=round(best_value, 4), steps=steps, minutes=round(used(), 3))
        apart += time.process_time() - before

    while len(ended) < 2 and patience < 20:
        for index in torch.randperm(len(train)).split(256):
            flow.train()
            optimizer.zero_grad()
            (-log_prob(flow, train[index]).mean()).backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 100)
            optimizer.step()
            steps += 1
            decay = min(0.999, (1 + steps) / (10 + steps))
            with torch.no_grad():
                for a, p in zip(average.parameters(), flow.parameters()):
                    a.lerp_(p, 1 - decay)
            if "updates" not in ended and steps == updates:
                end("updates")
            if "minutes" not in ended and used() > minutes:
                end("minutes")
            if len(ended) == 2:
                break
        else:
            validate()
    for budget in ("updates", "minutes"):  # those that the training ended before
        if budget not in ended:
            end(budget)
    return dict(budgets=ended, weights=sum(p.numel() for p in flow.parameters() if p.requires_grad))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--data", required=True, help="the name of the data set in the page of results")
    parser.add_argument("--out", required=True)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=1, help="of the processor, all threads together")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", choices=("nflows", "zuko"))
    parser.add_argument("--model", choices=MODELS)
    parser.add_argument("--checkouts", default=os.environ.get("PEERS", ""))
    args = parser.parse_args()
    peers.load(args.threads)
    global torch
    import numpy
    import torch
    rows = [torch.from_numpy(numpy.load(os.path.join(args.folder, part + ".npy"))) for part in ("train", "validation", "test")]
    for peer, make in (("nflows", nflows_model), ("zuko", zuko_model)):
        if args.peer not in (None, peer) or not peers.load_peer(peer, args.checkouts):
            continue
        for title in MODELS if args.model is None else (args.model,):
            torch.manual_seed(0)
            flow, log_prob = make(title, rows[0].shape[1], args.hidden)
            line = dict(peer=peer, data=args.data, model=title, **fit(flow, log_prob, rows, args.updates, args.minutes), threads=args.threads)
            print(json.dumps(line), flush=True)
            with open(args.out, "a") as file:
                file.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
