# SPDX-License-Identifier: BSD-3-Clause
"""The training step of bench_train in PyTorch: 5 % of the inputs firing, recurrent cuba_lif with a detached soft reset, leaky
read-out, cross-entropy at every step, gradients of all three matrices. Two variants: `autograd`, the loop as one would write it
(steps by unbind: indexing a tensor that has a gradient costs a pass over all steps per step), and `manual`, a backward pass
written by hand with the input and read-out products and all weight gradients as one product each. Both agree on a small case
before anything is timed. Prints one JSON line; exit status 77 without PyTorch.

    peer_torch.py autograd|manual batch steps inputs neurons outputs [rate] [surrogate] [threads] [repeats] [slope of the triangle]
"""
import json
import math
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("peer_torch: no PyTorch here, left out", file=sys.stderr)
    sys.exit(77)

SYN, MEM = math.exp(-1 / 5), math.exp(-1 / 20)  # per step of 1 ms: tau_syn 5 ms, tau_mem 20 ms
SLOPE = {"superspike": 10.0, "triangle": 3.0}


def slope(u, kind):
    if kind == "superspike":
        return 1 / (1 + SLOPE[kind] * u.abs()) ** 2
    return (1 - SLOPE[kind] * u.abs()).clamp_(min=0)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, kind):
        ctx.save_for_backward(u)
        ctx.kind = kind
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, g):
        return g * slope(ctx.saved_tensors[0], ctx.kind), None


def autograd(w, x, bias, kind):
    w_in, w_rec, w_out = w
    cell = x.new_zeros(x.shape[1], w_rec.shape[0])
    i, v, s, o = cell, cell, cell, x.new_zeros(x.shape[1], w_out.shape[1])
    outs, spikes = [], []
    for xt in x.unbind(0):
        i = SYN * i + xt @ w_in + s @ w_rec
        v = MEM * v + (1 - MEM) * (i + bias)
        s = Spike.apply(v - 1, kind)
        v = v - s.detach()
        o = MEM * o + (1 - MEM) * (s @ w_out)
        outs.append(o)
        spikes.append(s)
    return torch.stack(outs), torch.stack(spikes)


class Recurrent(torch.autograd.Function):
    """Spikes [steps, batch, n] of the hidden layer from its input currents of all steps."""

    @staticmethod
    def forward(ctx, drive, w_rec, bias, kind):
        steps, batch, n = drive.shape
        u, s = torch.empty_like(drive), drive.new_zeros(steps + 1, batch, n)
        i, v = drive.new_zeros(batch, n), drive.new_zeros(batch, n)
        for t in range(steps):
            i.mul_(SYN).add_(drive[t]).addmm_(s[t], w_rec)
            v.mul_(MEM).add_(i, alpha=1 - MEM).add_((1 - MEM) * bias)
            torch.sub(v, 1, out=u[t])
            torch.ge(u[t], 0, out=s[t + 1])
            v.sub_(s[t + 1])
        ctx.save_for_backward(u, s, w_rec)
        ctx.kind = kind
        return s[1:]

    @staticmethod
    def backward(ctx, g):
        u, s, w_rec = ctx.saved_tensors
        steps, batch, n = u.shape
        at = slope(u, ctx.kind)
        i_adj = torch.empty_like(u)
        v, i, back = (u.new_zeros(batch, n) for _ in range(3))
        turned = w_rec.t()
        for t in range(steps - 1, -1, -1):
            torch.addmm(g[t], i, turned, out=back)
            v.mul_(MEM).addcmul_(back, at[t])
            i.mul_(SYN).add_(v, alpha=1 - MEM)
            i_adj[t].copy_(i)
        w_adj = s[:-1].reshape(steps * batch, n).t() @ i_adj.reshape(steps * batch, n)
        return i_adj, w_adj, None, None


class Leaky(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        o = z * (1 - MEM)
        for t in range(1, z.shape[0]):
            o[t].add_(o[t - 1], alpha=MEM)
        return o

    @staticmethod
    def backward(ctx, g):
        g = g * (1 - MEM)
        for t in range(g.shape[0] - 2, -1, -1):
            g[t].add_(g[t + 1], alpha=MEM)
        return g


def manual(w, x, bias, kind):
    w_in, w_rec, w_out = w
    s = Recurrent.apply(x @ w_in, w_rec, bias, kind)
    return Leaky.apply(s @ w_out), s


VARIANT = {"autograd": autograd, "manual": manual}


def made(case, seed=1):
    batch, steps, inputs, n, outputs = case
    g = torch.Generator().manual_seed(seed)
    scale = ((inputs, n, 3.5 / inputs**0.5), (n, n, n**-0.5), (n, outputs, n**-0.5))
    w = [(torch.randn(a, b, generator=g) * sd).requires_grad_() for a, b, sd in scale]
    x = (torch.rand(steps, batch, inputs, generator=g) < 0.05).float()
    y = (torch.arange(steps)[:, None] + torch.arange(batch)[None, :]) % outputs
    return w, x, y


def step(run, w, x, y, bias, kind):
    for p in w:
        p.grad = None
    out, spikes = run(w, x, bias, kind)
    loss = F.cross_entropy(out.reshape(-1, out.shape[2]), y.reshape(-1))
    middle = time.perf_counter()
    loss.backward()
    return middle, spikes


def check(kind):
    w, x, y = made((3, 20, 5, 17, 4))
    grad = []
    for run in VARIANT.values():
        step(run, w, x, y, 0.5, kind)
        grad.append(torch.cat([p.grad.reshape(-1) for p in w]))
    error = float((grad[0] - grad[1]).norm() / grad[0].norm())
    if not error < 1e-4:
        sys.exit(f"peer_torch: the variants' gradients differ by {error:.1e}, below 1e-4 is expected")


def bias_for(w, x, wanted, kind):
    lo, hi, rate = -4.0, 32.0, 0.0
    with torch.no_grad():
        for _ in range(14):
            bias = (lo + hi) / 2
            rate = float(manual(w, x, bias, kind)[1].mean())
            if abs(rate / wanted - 1) < 0.05:
                break
            lo, hi = (bias, hi) if rate < wanted else (lo, bias)
    return bias, rate


def main():
    if len(sys.argv) < 7 or sys.argv[1] not in VARIANT:
        sys.exit("peer_torch.py autograd|manual batch steps inputs neurons outputs [rate] [surrogate] [threads] [repeats]")
    case = tuple(int(a) for a in sys.argv[2:7])
    more = sys.argv[7:]
    wanted = float(more[0]) if more else 0.06
    kind = more[1] if len(more) > 1 else "superspike"
    repeats = int(more[3]) if len(more) > 3 else 5
    if kind not in SLOPE:
        sys.exit(f"peer_torch: surrogate {kind}, allowed are {', '.join(SLOPE)}")
    if len(more) > 4:
        SLOPE["triangle"] = float(more[4])
    torch.set_num_threads(int(more[2]) if len(more) > 2 else 1)
    check(kind)
    w, x, y = made(case)
    bias, rate = bias_for(w, x, wanted, kind)
    wall, forward = [], []
    for k in range(repeats + 1):  # the first one warms up
        begin = time.perf_counter()
        middle, _ = step(VARIANT[sys.argv[1]], w, x, y, bias, kind)
        if k:
            wall.append(1e3 * (time.perf_counter() - begin))
            forward.append(1e3 * (middle - begin))
    batch, steps, a, n, o = case
    flops = 2 * steps * batch * (2 * a * n + 3 * n * n + 3 * n * o)
    median = statistics.median(wall)
    print(json.dumps({"bench": "torch_" + sys.argv[1], "case": case, "threads": torch.get_num_threads(), "surrogate": kind,
                      "rate_wanted": wanted, "rate": round(rate, 4), "step_ms": round(median, 1), "min_ms": round(min(wall), 1),
                      "forward_ms": round(statistics.median(forward), 1), "gflops": round(flops / median * 1e-6, 1)}))


main()
