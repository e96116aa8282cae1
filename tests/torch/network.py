# SPDX-License-Identifier: BSD-3-Clause
#
# A network of gradient.h5 stepped by PyTorch, one operation after the other, so that autograd finds the gradient. Weights, delays,
# parameters and initial states are read from the file; the equations are written here from the models' texts. Nothing of Lapwing runs.
import h5py
import numpy as np
import torch

F = torch.float64


# ---- spikes: Heaviside forward, the surrogate's derivative backward

def slope(kind, b, u):
    x = b * u
    a = x.abs()
    if kind == "superspike":
        return 1 / (1 + a) ** 2
    if kind == "sigmoid":
        s = torch.sigmoid(x)
        return b * s * (1 - s)
    if kind == "arctan":
        return 1 / (1 + (np.pi / 2 * x) ** 2)
    if kind == "triangle":
        return torch.clamp(1 - a, min=0)
    if kind == "boxcar":
        return 0.5 * (a < 1).to(F)
    if kind == "gaussian":
        return b * torch.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    raise ValueError(kind)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, kind, b, scale):
        ctx.save_for_backward(u)
        ctx.surrogate = kind, b, scale
        return (u >= 0).to(F)

    @staticmethod
    def backward(ctx, g):
        kind, b, scale = ctx.surrogate
        return g * scale * slope(kind, b, ctx.saved_tensors[0]), None, None, None


# ---- models: update(state, input by port, parameters, dt) -> state; margin; reset -> what a spike makes of the state

class Relay:
    output = "h"

    def update(self, s, x, p, dt):
        return {"h": x["x"] + 0 * s["h"]}


class LeakyReadout:
    output = "v"

    def update(self, s, x, p, dt):
        beta = torch.exp(-dt / p["tau_mem"])
        return {"v": p["v_leak"] + beta * (s["v"] - p["v_leak"]) + (1 - beta) * (x["x"] + p["bias"])}


class Simple:
    def update(self, s, x, p, dt):
        return {"v": torch.exp(-dt / p["tau_mem"]) * s["v"] + x["x"] + p["bias"]}

    def margin(self, s, p):
        return s["v"] - p["v_th"]

    def reset(self, s, p):
        return {"v": s["v"] - p["v_th"]}


class Perfect(Simple):
    def update(self, s, x, p, dt):
        return {"v": s["v"] + x["x"] + p["bias"]}


class Cuba(Simple):
    def update(self, s, x, p, dt):
        i = torch.exp(-dt / p["tau_syn"]) * s["i"] + x["x"]
        beta = torch.exp(-dt / p["tau_mem"])
        return {"i": i, "v": p["v_leak"] + beta * (s["v"] - p["v_leak"]) + (1 - beta) * (i + p["bias"])}


class Adaptive(Simple):
    def update(self, s, x, p, dt):
        beta = torch.exp(-dt / p["tau_mem"])
        return {"a": torch.exp(-dt / p["tau_adp"]) * s["a"], "v": beta * s["v"] + (1 - beta) * (x["x"] + p["bias"])}

    def threshold(self, s, p):
        return p["v_th"] + p["beta_a"] * s["a"]

    def margin(self, s, p):
        return s["v"] - self.threshold(s, p)

    def reset(self, s, p):
        rho = torch.exp(-self.dt / p["tau_adp"])
        return {"v": s["v"] - self.threshold(s, p), "a": s["a"] + 1 - rho}


class Hard:
    refractory, held = "t_ref", ["V_m"]

    def margin(self, s, p):
        return s["V_m"] - p["V_th"]

    def reset(self, s, p):
        return {"V_m": p["V_reset"] + 0 * s["V_m"]}


class Delta(Hard):
    def update(self, s, x, p, dt):
        decay = torch.exp(-dt / p["tau_m"])
        return {"V_m": p["E_L"] + decay * (s["V_m"] - p["E_L"]) + p["tau_m"] / p["C_m"] * (1 - decay) * p["I_e"] + x["spikes"]}


class Exponential(Hard):
    # the exact solution of V' = -(V - E)/tau_m + i/C with i' = -i/tau, over dt
    def update(self, s, x, p, dt):
        decay = torch.exp(-dt / p["tau_m"])
        v = p["E_L"] + decay * (s["V_m"] - p["E_L"]) + p["tau_m"] / p["C_m"] * (1 - decay) * p["I_e"]
        new = {}
        for i, tau, port in (("i_ex", p["tau_syn_ex"], "ex"), ("i_in", p["tau_syn_in"], "in")):
            d = torch.exp(-dt / tau)
            v = v + s[i] * p["tau_m"] * tau / (p["C_m"] * (p["tau_m"] - tau)) * (decay - d)
            new[i] = d * s[i] + x[port]
        new["V_m"] = v
        return new


class ExponentialAdaptive(Exponential):
    def update(self, s, x, p, dt):
        new = super().update(s, x, p, dt)
        decay, d, tau = torch.exp(-dt / p["tau_m"]), torch.exp(-dt / p["tau_stc"]), p["tau_stc"]
        new["V_m"] = new["V_m"] - s["stc"] * p["tau_m"] * tau / (p["C_m"] * (p["tau_m"] - tau)) * (decay - d)
        new["stc"] = d * s["stc"]
        new["sfa"] = torch.exp(-dt / p["tau_sfa"]) * s["sfa"]
        return new

    def margin(self, s, p):
        return s["V_m"] - (p["V_th"] + s["sfa"])

    def reset(self, s, p):
        return {**super().reset(s, p), "sfa": s["sfa"] + p["q_sfa"], "stc": s["stc"] + p["q_stc"]}


class Izhikevich:
    def update(self, s, x, p, dt):
        v, u = s["v"], s["u"]
        return {"v": v + dt * (0.04 * v * v + 5 * v + 140 - u + p["I_e"]) + x["spikes"], "u": u + dt * p["a"] * (p["b"] * v - u)}

    def margin(self, s, p):
        return s["v"] - p["V_th"]

    def reset(self, s, p):
        return {"v": p["c"] + 0 * s["v"], "u": s["u"] + p["d"]}


class HardUnit(Simple):  # tests/models/ref_lif_hard.model
    def update(self, s, x, p, dt):
        return {"v": p["beta"] * s["v"] + (1 - p["beta"]) * (s["i"] + p["bias"]), "i": p["alpha"] * s["i"] + x["x"]}

    def margin(self, s, p):
        return s["v"] - p["theta"]

    def reset(self, s, p):
        return {"v": 0 * s["v"]}


class Integrator(Simple):
    refractory, held = "t_ref", ["v"]

    def update(self, s, x, p, dt):
        d = torch.exp(-dt / p["tau_syn"])
        return {"v": s["v"] + (1 - d) * s["i"] - dt * p["leak"], "i": d * s["i"] + x["x"]}

    def reset(self, s, p):
        return {"v": p["v_reset"] + 0 * s["v"]}


class CubaHard(Cuba):
    refractory, held = "t_ref", ["v"]

    def reset(self, s, p):
        return {"v": p["v_reset"] + 0 * s["v"]}


class AdaptiveCurrent(Simple):
    def update(self, s, x, p, dt):
        beta, rho = torch.exp(-dt / p["tau_mem"]), torch.exp(-dt / p["tau_adp"])
        v = beta * s["v"] + (1 - beta) * (x["x"] + p["bias"] - s["w"])
        return {"v": v, "w": rho * s["w"] + (1 - rho) * p["a"] * v}

    def reset(self, s, p):
        return {"v": s["v"] - p["v_th"], "w": s["w"] + p["b"]}


class SpikeResponse:  # the state holds what alpha functions of all past arrivals add up to
    def update(self, s, x, p, dt):
        d = torch.exp(-dt / p["tau_syn"])
        return {"e": d * (s["e"] + dt * s["d"]), "d": d * s["d"] + np.e / p["tau_syn"] * x["x"], "r": torch.exp(-dt / p["tau_ref"]) * s["r"]}

    def margin(self, s, p):
        return p["bias"] + s["e"] - s["r"] - p["v_th"]

    def reset(self, s, p):
        return {"r": s["r"] + p["eta"]}


def rectified(z, slope):
    return torch.where(z < 0, slope * z, z)


class SigmaDelta:
    output = "y"

    def update(self, s, x, p, dt):
        sigma = s["sigma"] + x["x"]
        delta = rectified(sigma + p["bias"], p["slope"]) - s["sent"]
        y = torch.where(delta.abs() < p["v_th"], 0 * delta, delta)
        return {"sigma": sigma, "y": y, "sent": s["sent"] + y}


class SigmaDeltaSpike:
    def update(self, s, x, p, dt):
        return {"sigma": s["sigma"] + x["x"]}

    def margin(self, s, p):
        return rectified(s["sigma"] + p["bias"], p["slope"]) - s["sent"] - p["v_th"]

    def reset(self, s, p):
        return {"sent": s["sent"] + p["quantum"]}


class MaxPool:  # Network.run calls PyTorch's own
    output = "h"


MODELS = {"max_pool": MaxPool, "iaf": Integrator, "cuba_lif_hard": CubaHard, "adlif": AdaptiveCurrent, "srm": SpikeResponse, "sigma_delta": SigmaDelta,
          "sigma_delta_spike": SigmaDeltaSpike, "relay": Relay, "li": LeakyReadout, "lif_simple": Simple, "if": Perfect, "cuba_lif": Cuba, "alif": Adaptive,
          "lif_adapt": ExponentialAdaptive, "izhikevich": Izhikevich, "lif_delta": Delta, "lif": Exponential, "ref_lif_hard": HardUnit}


# ---- the file

def text(x):
    return x.decode() if isinstance(x, bytes) else str(x)


class Population:
    def __init__(self, group, gradient):
        self.name = text(group.attrs["model"])
        self.model = MODELS[self.name]()
        self.size = int(group.attrs["size"])
        self.param, self.learned = {}, {}
        for name, d in group["parameters"].items():
            x = torch.tensor(np.broadcast_to(d[...], (self.size,)).astype(np.float64))
            if gradient is not None and name in gradient:
                self.learned[name] = x.requires_grad_()
            self.param[name] = x
        self.initial = {name: torch.tensor(d[...].astype(np.float64)) for name, d in group["initial"].items()}


class Projection:
    def __init__(self, group, pops, learned):
        self.pre, self.post = text(group.attrs["pre"]), text(group.attrs["post"])
        self.port = text(group.attrs["port"])
        target, source = (torch.tensor(group[k][...].astype(np.int64)) for k in ("target", "source"))
        n = len(target)
        self.weight = torch.tensor(np.broadcast_to(group["weight"][...], (n,)).astype(np.float64))
        self.window = None
        if learned and "window" in group:  # synapses share the entries of a kernel
            w = group["window"][...].astype(int)
            ci, hi, wi, co, ho, wo, kh, kw, sy, sx, py, px = w[:12]
            dy, dx = group["window_dilation"][...].astype(int) if "window_dilation" in group else (1, 1)
            row = (source // wi % hi - (target // wo % ho * sy - py)) // dy
            column = (source % wi - (target % wo * sx - px)) // dx
            kernel = torch.zeros(co, ci, kh, kw, dtype=F)
            kernel[target // (ho * wo), source // (hi * wi), row, column] = self.weight
            self.weight = kernel
            self.window = (ci, hi, wi), (sy, sx), (py, px), (int(dy), int(dx))
        if learned:
            self.weight.requires_grad_()
        delay = np.broadcast_to(group["lag" if "lag" in group else "delay"][...], (n,))
        self.lag, parts = None, [(delay, self.weight)]
        if delay.dtype.kind == "f":  # real delays: a value arrives as 1 - f of it at the step before and as f of it at the step behind
            self.lag = torch.tensor(delay.astype(np.float64), requires_grad=True)
            f = self.lag - torch.floor(self.lag).detach()
            first = np.floor(delay).astype(np.int64)
            parts = [(first, self.weight * (1 - f)), (first + 1, self.weight * f)]
        if self.window:
            (d,) = set(delay.tolist())
            self.slices = [(d, None)]
            return
        shape = (pops[self.post].size, pops[self.pre].size)
        self.slices = []  # (delay in steps, matrix [post, pre])
        for delay, weight in parts:
            for d in sorted(set(delay.tolist())):
                pick = torch.tensor(np.flatnonzero(delay == d))
                matrix = torch.zeros(shape, dtype=F).index_put((target[pick], source[pick]), weight[pick], accumulate=True)
                self.slices.append((d, matrix))

    def bring(self, z, matrix):
        if self.window is None:
            return z @ matrix.T
        shape, stride, padding, dilation = self.window
        return torch.nn.functional.conv2d(z.reshape(len(z), *shape), self.weight, stride=stride, padding=padding, dilation=dilation).flatten(1)


class Network:
    def __init__(self, path, train):
        self.train = train
        with h5py.File(path, "r") as f:
            net, gradient = f["network"], f["gradient"]
            self.dt = float(net.attrs["dt_ms"])
            self.pops = {k: Population(g, gradient["parameters"].get(k)) for k, g in net["populations"].items()}
            self.projections = {k: Projection(g, self.pops, k in gradient["projections"]) for k, g in net["projections"].items()}
            b = f["batch"]
            self.steps, self.samples = int(b.attrs["steps"]), int(b.attrs["samples"])
            self.x = torch.tensor(b["input"][...].reshape(self.steps, -1, self.samples).astype(np.float64)).transpose(1, 2)
            self.label = torch.tensor(b["label"][...].astype(np.int64)) if "label" in b else None
            self.target = b["target"][...].reshape(self.steps, -1, self.samples) if "target" in b else None
            self.found_loss = float(b.attrs["loss"])
            self.found_spikes = {k: d[...] for k, d in b["spikes"].items()}
            self.found = {("weight", k): d[...] for k, d in gradient["projections"].items()}
            self.found.update({("delay", k): d[...] for k, d in gradient.get("delays", {}).items()})
            for p, g in gradient["parameters"].items():
                self.found.update({(p, k): d[...] for k, d in g.items()})

    def leaf(self, key):
        if key[0] == "delay":
            return self.projections[key[1]].lag
        return self.projections[key[1]].weight if key[0] == "weight" else self.pops[key[0]].learned[key[1]]

    # populations such that sources of delay 0 come first
    def order(self):
        left, out = list(self.pops), []
        while left:
            for k in left:
                if not any(q.post == k and q.pre in left and q.slices and q.slices[0][0] == 0 for q in self.projections.values()):
                    break
            left.remove(k)
            out.append(k)
        return out

    def spike(self, p, s, held):
        kind, b, scale = self.train["surrogate"]
        z = Spike.apply(p.model.margin(s, p.param), kind, b, scale)
        return z if held is None else z * (held == 0).to(F)

    def step(self, k, x, held):
        p, s = self.pops[k], self.state[k]
        model = p.model
        model.dt = self.dt
        new = {**s, **model.update(s, x, p.param, self.dt)}
        if held is not None:
            for name in model.held:
                new[name] = torch.where(held > 0, s[name], new[name])
        if not hasattr(model, "margin"):
            self.state[k] = new
            return new[model.output]
        for n, v in new.items():
            self.before[k].setdefault(n, []).append(v)
        z = self.spike(p, new, held)
        r = z.detach() if self.train["reset"] == "detached" else z
        self.state[k] = {**new, **{n: new[n] + r * (v - new[n]) for n, v in model.reset(new, p.param).items()}}
        if held is not None:
            steps = torch.round(p.param[model.refractory] / self.dt)
            self.held[k] = torch.where(z > 0, steps.expand_as(held), torch.clamp(held - 1, min=0)).detach()
        return z

    def run(self):
        B = self.samples
        self.state = {k: {n: v.expand(B, p.size) for n, v in p.initial.items()} for k, p in self.pops.items()}
        self.held = {k: torch.zeros(B, p.size, dtype=F) if hasattr(p.model, "held") else None for k, p in self.pops.items()}
        self.emitted = {k: [] for k in self.pops}
        self.before = {k: {} for k in self.pops}  # states before a spike resets them
        order = self.order()
        for t in range(self.steps):
            for k in order:
                if isinstance(self.pops[k].model, MaxPool):
                    self.emitted[k].append(self.pooled(k, t))
                    continue
                ports = {"x", "spikes", "ex", "in"}
                x = {port: torch.zeros(B, self.pops[k].size, dtype=F) for port in ports}
                for q in self.projections.values():
                    for d, w in q.slices if q.post == k else []:
                        if t >= d:
                            x[q.port] = x[q.port] + q.bring(self.emitted[q.pre][t - d], w)
                if k == self.train["input"]:
                    x["x"] = x["x"] + self.x[t]
                self.emitted[k].append(self.step(k, x, self.held[k]))

    def pooled(self, k, t):
        pre, shape, kernel, stride, delay = self.train["max_pool"][k]
        if t < delay:
            return torch.zeros(self.samples, self.pops[k].size, dtype=F)
        z = self.emitted[pre][t - delay].reshape(self.samples, *shape)
        return torch.nn.functional.max_pool2d(z, kernel, stride).flatten(1)

    # ---- read-out and loss

    def loss(self):
        kind, skip = self.train["from"], self.train.get("skip", 0)
        out = torch.stack(self.emitted[self.train["readout"]])[skip:]  # [steps, samples, units]
        every = self.train.get("every", 1)
        if self.train["loss"] == "van_rossum":
            return self.van_rossum(out, skip) + self.penalties()
        if kind in ("per_step", "vote"):  # all samples are equally long, so that a vote's loss is the mean over steps too
            z = out[every - 1::every]
        elif kind == "first_spike":
            z = self.first_spikes(out, skip)
        elif kind == "last":
            z = out[-1:]
        elif kind == "mean":
            z = out.mean(0, keepdim=True)
        elif kind == "sum":
            z = out.sum(0, keepdim=True)
        else:
            z = torch.gather(out, 0, out.argmax(0, keepdim=True))
        fit = self.classes(z, skip) if self.label is not None else self.regression(z, skip)
        return fit + self.penalties()

    # the first spike as the mean of a waiting time with hazard `out`
    def first_spikes(self, out, skip):
        alive, steps = torch.ones_like(out[0]), 0
        for x in out:
            alive = alive * (1 - x)
            steps = steps + alive
        steps = steps + alive * self.train["silent"] / self.dt
        return -((skip + 1 + steps) * self.dt / self.train["tau"]).unsqueeze(0)

    # all pairs of spikes
    def van_rossum(self, out, skip):
        y = torch.tensor(self.target.astype(np.float64)).transpose(1, 2)[skip:]
        d = torch.where(torch.isnan(y), torch.zeros_like(out), out - torch.nan_to_num(y))
        t = torch.arange(len(d), dtype=F) * self.dt
        near = torch.exp(-(t[:, None] - t[None, :]).abs() / self.train["tau"])
        return 0.5 * torch.einsum("sbk,tbk,st->bk", d, d, near)[(~torch.isnan(y)).any(0)].mean()

    # each: weight * mean over neurons (or populations) and samples of (x - upper)+^2 + (lower - x)+^2, without the square for L1
    def penalties(self):
        total, time = 0, self.steps * self.dt
        for kind, p in self.train["regularize"]:
            named = p.get("populations") or [k for k, x in self.pops.items() if hasattr(x.model, "margin")]
            if kind == "voltage":
                x = torch.cat([torch.stack(self.before[k][p["state"]]) for k in named], 2)
            else:
                counts = [torch.stack(self.emitted[k]).sum(0) for k in named]
                x = torch.cat([c.mean(1, keepdim=True) for c in counts] if kind == "population_rate" else counts, 1)
                x = x if kind.startswith("spikes") else x / time
            over = torch.clamp(x - (p.get("above", 0) if kind.startswith("spikes") else p.get("upper", float("inf"))), min=0)
            under = torch.clamp(p["lower"] - x, min=0) if "lower" in p else torch.zeros_like(x)
            power = 1 if kind == "spikes_l1" else 2
            total = total + p["weight"] * (over ** power + under ** power).mean()
        return total

    def regression(self, z, skip):
        y = torch.tensor(self.target.astype(np.float64)).transpose(1, 2)
        y = y[skip:] if len(z) > 1 else y[-1:]
        counts = ~torch.isnan(y)
        return ((z - y)[counts] ** 2).mean()

    def classes(self, z, skip):
        label = self.label
        every = self.train.get("every", 1)
        label = label.expand(len(z), -1) if len(label) == 1 else label[skip + every - 1::every] if len(z) > 1 else label[-1:]
        smooth, n = self.train.get("label_smoothing", 0), z.shape[-1]
        counts = label >= 0
        z, label = z[counts], label[counts]
        wanted = (1 - smooth) * torch.nn.functional.one_hot(label, n).to(F) + smooth / n
        if self.train["loss"] == "mse":
            right, wrong = (-v / self.train["tau"] if self.train["from"] == "first_spike" else v for v in self.train["targets"])
            wanted = wrong + (right - wrong) * wanted
            return ((z - wanted) ** 2).mean()
        return -(wanted * torch.log_softmax(z, -1)).sum(-1).mean()
