# SPDX-License-Identifier: BSD-3-Clause
"""What peer_snntorch.py and peer_norse.py share: the weights, inputs and targets of peer_torch.py (5 % of the inputs firing,
cross-entropy at every step), the search for the wanted firing, the timing and the JSON line. A library's network is a function
forward(w, x, bias) -> (read-out [steps, batch, outputs], hidden spikes [steps, batch, neurons]) with w = (input, recurrent,
read-out) weights of the layers it has built. Holds nothing of any library.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F


def made(case, seed=1):
    """Weights [from, to], spikes [steps, batch, inputs], targets [steps, batch]; the same numbers as in peer_torch.py."""
    batch, steps, inputs, n, outputs = case
    g = torch.Generator().manual_seed(seed)
    scale = ((inputs, n, 3.5 / inputs**0.5), (n, n, n**-0.5), (n, outputs, n**-0.5))
    w = [torch.randn(a, b, generator=g) * sd for a, b, sd in scale]
    x = (torch.rand(steps, batch, inputs, generator=g) < 0.05).float()
    y = (torch.arange(steps)[:, None] + torch.arange(batch)[None, :]) % outputs
    return w, x, y


def search(forward, x, wanted):
    """Bias at which the hidden neurons fire at the wanted rate (per step) within 5 %, by halving."""
    lo, hi, bias, rate = -4.0, 32.0, 0.0, 0.0
    with torch.no_grad():
        for _ in range(14):
            bias = (lo + hi) / 2
            rate = float(forward(x, bias)[1].mean())
            if abs(rate / wanted - 1) < 0.05:
                break
            lo, hi = (bias, hi) if rate < wanted else (lo, bias)
    return bias, rate


def main(name, version, build):
    """build(case, weights) -> (forward(x, bias), learned tensors: input, recurrent, read-out)"""
    if len(sys.argv) < 6:
        sys.exit(f"peer_{name}.py batch steps inputs neurons outputs [rate] [threads] [repeats]")
    case = tuple(int(a) for a in sys.argv[1:6])
    more = sys.argv[6:]
    wanted = float(more[0]) if more else 0.06
    torch.set_num_threads(int(more[1]) if len(more) > 1 else 1)
    repeats = int(more[2]) if len(more) > 2 else 3
    w, x, y = made(case)
    forward, learned = build(case, w)
    bias, rate = search(forward, x, wanted)
    wall = []
    half = []
    for k in range(repeats + 1):  # the first one warms up
        begin = time.perf_counter()
        for p in learned:
            p.grad = None
        out, _ = forward(x, bias)
        loss = F.cross_entropy(out.reshape(-1, out.shape[2]), y.reshape(-1))
        middle = time.perf_counter()
        loss.backward()
        if k:
            wall.append(1e3 * (time.perf_counter() - begin))
            half.append(1e3 * (middle - begin))
    for p, what in zip(learned, ("input", "recurrent", "read-out")):
        if p.grad is None or not torch.isfinite(p.grad).all() or not p.grad.abs().sum() > 0:
            sys.exit(f"peer_{name}: the gradient of the {what} weights is missing, 0 or not finite")
    print(json.dumps({"bench": name, "version": version, "case": case, "threads": torch.get_num_threads(),
                      "rate_wanted": wanted, "rate": round(rate, 4), "step_ms": round(statistics.median(wall), 1),
                      "min_ms": round(min(wall), 1), "forward_ms": round(statistics.median(half), 1)}))
