# SPDX-License-Identifier: BSD-3-Clause
#
# compare_conv.py LAPWING [rounds [input spikes per step]]: training of a spiking convolutional network (2 x 16 x 16 -> conv 3x3, 8 channels -> LIF -> max pool 2
# -> conv 3x3, 16 channels -> LIF -> average pool 2 -> 10 read-outs) by Lapwing and by a plain PyTorch loop on random spikes: seconds of an
# epoch (forward, backward, Adam), one thread each, in turns; the smallest of the rounds counts, and the ratio. Folder: the present one.
import csv
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import torch
from torch.nn import functional as nn

torch.set_num_threads(1)
SAMPLES, BATCH, STEPS, CLASSES = 64, 16, 40, 10
LAPWING, ROUNDS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
DENSITY = float(sys.argv[3]) if len(sys.argv) > 3 else 0.05


def experiment():
    lif = {"model": "cuba_lif"}
    edge = {"rule": "conv2d", "kernel": 3, "padding": 1, "learn": True, "delay": "0 ms"}
    return {"name": "conv", "time": {"dt": "1 ms"}, "seed": 1,
            "populations": {"in": {"model": "relay", "shape": [2, 16, 16]}, "one": {**lif, "shape": [8, 16, 16]},
                            "half": {"model": "max_pool", "shape": [8, 8, 8]}, "two": {**lif, "shape": [16, 8, 8]},
                            "quarter": {"model": "relay", "shape": [16, 4, 4]}, "out": {"model": "li", "size": CLASSES}},
            "projections": [{"from": "in", "to": "one", **edge, "weight": "normal(0.25, 0.6)"},
                            {"from": "one", "to": "half", "rule": "max_pool", "kernel": 2, "delay": "0 ms"},
                            {"from": "half", "to": "two", **edge, "weight": "normal(0.06, 0.3)"},
                            {"from": "two", "to": "quarter", "rule": "average_pool", "kernel": 2, "delay": "0 ms"},
                            {"from": "quarter", "to": "out", "rule": "all_to_all", "weight": "normal(0, 0.2)", "delay": "0 ms", "learn": True}],
            "data": {"train": {"format": "npy", "x": "x.npy", "labels": "label.npy", "classes": CLASSES}},
            "train": {"input": "in", "readout": {"population": "out", "from": "mean"}, "loss": "cross_entropy", "batch": BATCH, "epochs": 3,
                      "optimizer": {"adam": {"lr": 0.001}}, "precision": "float", "surrogate": {"superspike": 5.0}}}


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 0).float()

    @staticmethod
    def backward(ctx, g):
        return g / (1 + 5 * ctx.saved_tensors[0].abs()) ** 2


def lif(x, i, v):
    i = 0.8187 * i + x
    v = 0.9512 * v + 0.0488 * i
    z = Spike.apply(v - 1)
    return z, i, v - z.detach()


def torch_epoch(x, label, k1, k2, w, optimizer):
    start = time.perf_counter()
    for b in range(0, SAMPLES, BATCH):
        zero = [torch.zeros(BATCH, 8, 16, 16), torch.zeros(BATCH, 16, 8, 8), torch.zeros(BATCH, CLASSES)]
        i1 = v1 = zero[0]
        i2 = v2 = zero[1]
        out, total = zero[2], 0
        for t in range(STEPS):
            z, i1, v1 = lif(nn.conv2d(x[b:b + BATCH, t], k1, padding=1), i1, v1)
            z, i2, v2 = lif(nn.conv2d(nn.max_pool2d(z, 2), k2, padding=1), i2, v2)
            out = 0.9512 * out + 0.0488 * (nn.avg_pool2d(z, 2).flatten(1) @ w.T)
            total = total + out
        optimizer.zero_grad()
        nn.cross_entropy(total / STEPS, label[b:b + BATCH]).backward()
        optimizer.step()
    return time.perf_counter() - start


def main():
    rng = np.random.default_rng(1)
    x = (rng.random((SAMPLES, STEPS, 512)) < DENSITY).astype(np.float32)
    label = rng.integers(0, CLASSES, SAMPLES).astype(np.uint8)
    np.save("x.npy", x)
    np.save("label.npy", label)
    with open("conv.yaml", "w") as f:
        json.dump(experiment(), f)
    k1, k2, w = (torch.randn(*s) * sd + mean for s, sd, mean in (((8, 2, 3, 3), 0.6, 0.25), ((16, 8, 3, 3), 0.3, 0.06), ((CLASSES, 256), 0.2, 0)))
    for p in (k1, k2, w):
        p.requires_grad_()
    optimizer = torch.optim.Adam([k1, k2, w], 1e-3)
    data = torch.tensor(x).reshape(SAMPLES, STEPS, 2, 16, 16), torch.tensor(label.astype(np.int64))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(torch_epoch(*data, k1, k2, w, optimizer))
        shutil.rmtree("out", ignore_errors=True)
        subprocess.run([LAPWING, "train", "conv.yaml", "--out", "out", "--quiet"], check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        with open("out/metrics.csv") as f:
            rows = list(csv.DictReader(f))
        ours.append(min(float(r["seconds"]) for r in rows))
        rate = float(rows[-1]["rate_hz"])
    print(f"lapwing {min(ours):.3f} s, PyTorch {min(theirs):.3f} s, PyTorch / lapwing {min(theirs) / min(ours):.2f}; {rate:.0f} Hz")


main()
