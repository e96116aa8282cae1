# SPDX-License-Identifier: BSD-3-Clause
#
# parity.py GROUP LAPWING MODELS: small networks, each as an experiment for `lapwing gradient` and once more in PyTorch (network.py).
# Loss, spikes and the gradient of everything learned must agree. Status 77: no PyTorch here.
import json
import os
import subprocess
import sys

try:
    import h5py
    import numpy as np
    import torch
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
from hessian import eigenvalues
from network import Network

torch.set_num_threads(1)
GROUP, LAPWING, MODELS = sys.argv[1:4]
HIDDEN, INPUTS, CLASSES, STEPS, SAMPLES = 14, 6, 4, 40, 5
# Largest difference over the largest entry of a block. Found when written: 2e-14 at most in double; in float, where all rounding is
# ours (autograd runs in double), 7e-6.
TOLERANCE = {"double": 1e-12, "float": 1e-5}


def write_data(folder, per_step=False, spikes=False, inputs=INPUTS):
    rng = np.random.default_rng(7)
    np.save(f"{folder}/x.npy", (rng.random((SAMPLES, STEPS, inputs)) < 0.3).astype(np.float32))
    if spikes:
        y = (rng.random((SAMPLES, STEPS, CLASSES)) < 0.15).astype(np.float32)
        y[1, 7:12] = np.nan  # unknown
        np.save(f"{folder}/label.npy", y)
        return
    shape = (SAMPLES, STEPS) if per_step else (SAMPLES,)
    label = rng.integers(0, CLASSES, shape)
    if per_step:
        label[rng.random(shape) < 0.2] = 255  # unlabelled
    np.save(f"{folder}/label.npy", label.astype(np.uint8))


def case(hidden="cuba_lif", params=None, learn=(), weight="normal(0.3, 1)", port=None, rec=None, delay="1 ms", out="li",
         out_params=None, out_learn=("tau_mem", "bias"), out_weight="normal(0, 0.5)", out_delay="0 ms", train=None, data=None,
         dt="1 ms", size=HIDDEN, inputs=INPUTS, outputs=None):
    extra = {"port": port} if port else {}
    projections = [{"from": "in", "to": "rec", "rule": "all_to_all", "weight": weight, "delay": "0 ms", "learn": True, **extra}]
    if rec is not None:
        projections.append({"from": "rec", "to": "rec", "rule": "all_to_all", "weight": "normal(0, 0.4)", "delay": delay,
                            "learn": True, **extra, **rec})
    projections.append({"from": "rec", "to": "out", "rule": "all_to_all", "weight": out_weight, "delay": out_delay, "learn": True})
    label = {"format": "npy", "x": "x.npy", "labels": "label.npy", "classes": CLASSES}
    outputs = outputs or (CLASSES if data is None else inputs)
    return {"name": "parity", "time": {"dt": dt}, "seed": 11,
            "populations": {"in": {"model": "relay", "size": inputs},
                            "rec": {"model": hidden, "size": size, "params": params or {}, "learn": list(learn)},
                            "out": {"model": out, "size": outputs, "params": out_params or {}, "learn": list(out_learn)}},
            "projections": projections, "data": {"train": data or label},
            "train": {"input": "in", "readout": {"population": "out", "from": "per_step"}, "loss": "cross_entropy",
                      "batch": SAMPLES, "precision": "double", "surrogate": {"superspike": 5.0}, **(train or {})}}


# Two hidden layers and a deep one between them and the read-out: skip edges, feedback over several layers, self-recurrence, edges of
# several delays between one pair.
def layers(train=None):
    x = case(**CUBA, rec={}, train=train)
    for k, model in (("mid", "alif"), ("deep", "cuba_lif")):
        x["populations"][k] = {"model": model, "size": 9, "learn": ["tau_mem", "v_th"]}
    edge = {"rule": "all_to_all", "weight": "normal(0.4, 1)", "learn": True}
    x["projections"] += [{**edge, "from": a, "to": b, "delay": d, "name": f"{a}_{b}_{i}"} for i, (a, b, d) in enumerate(
        [("rec", "mid", "0 ms"), ("mid", "deep", "0 ms"), ("rec", "deep", "2 ms"), ("in", "deep", "0 ms"), ("deep", "rec", "1 ms"),
         ("deep", "mid", "3 ms"), ("mid", "mid", "1 ms"), ("deep", "out", "0 ms"), ("mid", "out", "1 ms"), ("rec", "deep", "5 ms")])]
    x["projections"][3]["weight"] = x["projections"][6]["weight"] = "normal(1, 3)"
    return x


# conv -> LIF -> pool -> conv -> LIF -> pool -> flat read-out, with PyTorch's own conv2d and max_pool2d
def conv(first="max_pool", second="average_pool", recurrent=False, window=None, middle=(4, 8, 8), delay="0 ms", train=None, bias=False):
    lif = {"model": "cuba_lif", "params": SPREAD, "learn": ["tau_mem", "v_th", "bias"]}
    pool = {"max_pool": {"model": "max_pool"}, "average_pool": {"model": "relay"}, "sum_pool": {"model": "relay"}}
    c, h, w = middle
    edge = {"rule": "conv2d", "kernel": 3, "padding": 1, "learn": True, "delay": delay}
    x = case(train=train)
    x["populations"] = {"in": {"model": "relay", "shape": [2, 8, 8]}, "one": {**lif, "shape": [c, h, w]}, "out": x["populations"]["out"],
                        "half": {**pool[first], "shape": [c, h // 2, w // 2]}, "two": {**lif, "shape": [3, h // 2, w // 2]},
                        "quarter": {**pool[second], "shape": [3, h // 4, w // 4]}}
    x["projections"] = [{"from": "in", "to": "one", **edge, "weight": "normal(0.3, 0.7)", **(window or {})},
                        {"from": "one", "to": "half", "rule": first, "kernel": 2, "delay": delay},
                        {"from": "half", "to": "two", **edge, "weight": "normal(0.3, 0.7)"},
                        {"from": "two", "to": "quarter", "rule": second, "kernel": 2, "delay": delay},
                        {"from": "quarter", "to": "out", "rule": "all_to_all", "weight": "normal(0, 0.5)", "delay": "0 ms", "learn": True}]
    if recurrent:
        x["projections"] += [{"from": a, "to": a, **edge, "weight": "normal(0, 0.3)", "delay": "1 ms"} for a in ("one", "two")]
    if bias:  # a plane that is always 1, through a kernel of one entry per channel
        x["populations"]["plane"] = {"model": "li", "shape": [1, h, w], "params": {"v_leak": 1.0}}
        x["projections"] += [{"from": "plane", "to": "one", "rule": "conv2d", "kernel": 1, "weight": "normal(0.1, 0.2)", "delay": delay, "learn": True}]
    return x


def readout(kind, **more):
    return {"readout": {"population": "out", "from": kind}, **more}


SPREAD = {"tau_mem": "gamma(3, 20 ms) in [4 ms, 90 ms]", "tau_syn": "uniform(3 ms, 9 ms)", "v_th": "uniform(0.7, 1.3)"}
CUBA = {"params": SPREAD, "learn": ["tau_mem", "tau_syn", "v_th", "bias"], "weight": "normal(0.6, 1)"}
SPARSE = {"rule": "pairwise_bernoulli(0.3)"}
ORIGIN = {"E_L": "0 mV", "V_th": "15 mV", "V_reset": "2 mV"}  # single precision resolves 15 mV better than -55 mV
LAGS = {"learn_delay": True, "delay_max": "9 ms"}
LIF = {"hidden": "lif", "port": "ex", "weight": "normal(700 pA, 400 pA)", "learn": ["tau_m", "V_th", "I_e"],
       "params": {**ORIGIN, "tau_m": "uniform(8 ms, 14 ms)", "t_ref": "3 ms"}, "rec": {"weight": "normal(0 pA, 300 pA)"}}
DELTA = {"hidden": "lif_delta", "weight": "normal(8 mV, 4 mV)", "learn": ["tau_m", "V_th", "V_reset", "E_L"],
         "params": {**ORIGIN, "tau_m": "uniform(8 ms, 14 ms)", "t_ref": "2 ms"}, "rec": {"weight": "normal(0 mV, 4 mV)"}}
MV = {"surrogate": {"superspike": 0.5}}
HARD = {"hidden": os.path.join(MODELS, "ref_lif_hard.model"), "learn": ["alpha", "beta", "theta", "bias"], "weight": "normal(1, 2)"}
ADAPT = {**LIF, "hidden": "lif_adapt", "learn": ["tau_m", "V_th", "q_sfa", "tau_sfa", "q_stc", "tau_stc", "C_m"]}
IZHIKEVICH = {"hidden": "izhikevich", "weight": "normal(8 mV, 6 mV)", "learn": ["a", "b", "c", "d", "V_th"],
              "rec": {"weight": "normal(0 mV, 3 mV)"}, "dt": "0.5 ms"}
TRAINS = {"format": "npy", "x": "x.npy", "labels": "label.npy", "classes": 0}
FIRES = {**CUBA, "rec": {}, "out": "cuba_lif", "out_learn": ["tau_mem", "v_th"], "out_weight": "normal(0.5, 1)"}
LORENZ = {"format": "lorenz63", "samples": SAMPLES, "steps": STEPS, "dt": 0.05, "horizon": 1, "seed": 3}
FULL = {"reset": "full"}
NO_LEAK = {"hidden": "iaf", "learn": ["tau_syn", "leak", "v_th", "v_reset"], "weight": "normal(0.2, 0.5)", "rec": {},
           "params": {"leak": "uniform(0 kHz, 0.02 kHz)", "tau_syn": "uniform(3 ms, 9 ms)", "t_ref": "2 ms", "v_reset": "normal(0, 0.2)"}}
CUBA_HARD = {**CUBA, "hidden": "cuba_lif_hard", "learn": ["tau_mem", "tau_syn", "v_th", "v_reset", "v_leak", "bias"],
             "params": {**SPREAD, "t_ref": "2 ms"}, "rec": {}}
CURRENT = {"hidden": "adlif", "learn": ["tau_mem", "tau_adp", "v_th", "a", "b", "bias"], "weight": "normal(4, 6)",
           "params": {"tau_adp": "uniform(20 ms, 80 ms)", "a": "normal(0.5, 0.5)"}, "rec": {"weight": "normal(0, 3)"}}
RESPONSE = {"hidden": "srm", "learn": ["tau_syn", "tau_ref", "eta", "v_th", "bias"], "weight": "normal(0.3, 0.6)",
            "params": {"tau_syn": "uniform(3 ms, 9 ms)", "tau_ref": "uniform(5 ms, 20 ms)"}, "rec": {}}
CHANGES = {"hidden": "sigma_delta", "learn": ["bias", "slope"], "weight": "normal(0.1, 0.5)", "rec": {"weight": "normal(0, 0.1)"},
           "params": {"v_th": "uniform(0.1, 0.9)", "slope": "uniform(0, 1)"}, "out": "cuba_lif", "out_learn": ["tau_mem", "v_th"],
           "out_weight": "normal(0.8, 2)", "train": readout("sum")}
QUANTA = {"hidden": "sigma_delta_spike", "learn": ["v_th", "quantum", "bias", "slope"], "weight": "normal(0.2, 0.4)", "rec": {},
          "params": {"slope": "uniform(0, 0.9)", "bias": "normal(0, 0.5)"}}

GROUPS = {
    "models": {
        "feedforward": case(**CUBA),
        "feedforward, reset full": case(**CUBA, train=FULL),
        "recurrent dense": case(**CUBA, rec={}),
        "recurrent dense, reset full": case(**CUBA, rec={}, train=FULL),
        "recurrent sparse": case(**CUBA, rec=SPARSE),
        "recurrent with multapses": case(**CUBA, rec={"rule": "fixed_indegree(6)"}),
        "delays": case(**CUBA, rec={}, delay="uniform(1 ms, 9 ms)", out_delay="uniform(1 ms, 4 ms)"),
        "delays, sparse, reset full": case(**CUBA, rec=SPARSE, delay="uniform(1 ms, 9 ms)", train=FULL),
        "learned delays": case(**CUBA, rec=LAGS, delay="uniform(1 ms, 8 ms)"),
        "learned delays, sparse, reset full": case(**CUBA, rec={**LAGS, **SPARSE}, delay="uniform(1 ms, 8 ms)", train=FULL),
        "learned delays, multapses": case(**CUBA, rec={**LAGS, "rule": "fixed_indegree(6)"}, delay="uniform(1 ms, 8 ms)"),
        "learned delays without weights": case(**CUBA, rec={**LAGS, "learn": False}, delay="uniform(1 ms, 8 ms)"),
        "learned delays at the ends": case(**CUBA, rec=LAGS, delay="normal(5 ms, 10 ms)", train=FULL),
        "adaptive": case("alif", {"tau_adp": "uniform(20 ms, 80 ms)"}, ["tau_mem", "tau_adp", "v_th", "beta_a", "bias"],
                         "normal(4, 6)", rec={"weight": "normal(0, 3)"}),
        "adaptive, reset full": case("alif", {"tau_adp": "uniform(20 ms, 80 ms)"}, ["tau_mem", "tau_adp", "v_th", "beta_a"],
                                     "normal(4, 6)", rec={"weight": "normal(0, 3)"}, train=FULL),
        "simple, soft": case("lif_simple", learn=["tau_mem", "v_th", "bias"], rec={}),
        "simple, soft, full": case("lif_simple", learn=["tau_mem", "v_th", "bias"], rec={}, train=FULL),
        "perfect integrator": case("if", learn=["v_th", "bias"], weight="normal(0.1, 0.4)", rec={}, train=FULL),
        "hard": case(**HARD, rec={}),
        "hard, full": case(**HARD, rec={}, train=FULL),
        "exact integration, refractory": case(**LIF, train=MV),
        "exact integration, refractory, full": case(**LIF, train={**MV, **FULL}),
        "jumps, refractory": case(**DELTA, train=MV),
        "jumps, refractory, full": case(**DELTA, train={**MV, **FULL}),
        "spiking read-out": case(**CUBA, rec={}, out="cuba_lif", out_learn=["tau_mem", "v_th"], out_weight="normal(0.5, 1)",
                                 train=readout("sum")),
        "jumps from -70 mV": {**case(**{**DELTA, "params": {"t_ref": "2 ms"}}, train=MV), "only": "double"},
        "adaptation currents and thresholds": case(**ADAPT, train=MV),
        "adaptation currents and thresholds, full": case(**ADAPT, train={**MV, **FULL}),
        "quadratic": {**case(**IZHIKEVICH, train={"surrogate": {"superspike": 0.2, "scale": 0.1}}), "only": "double"},
        "skip and feedback": layers(),
        "skip and feedback, reset full": layers(FULL),
        **{f"{name}{', reset full' if full else ''}": case(**{**x, "train": {**x.get("train", {}), **(FULL if full else {})}})
           for name, x in (("constant leak, refractory", NO_LEAK), ("currents, hard reset, refractory", CUBA_HARD),
                           ("adaptation current", CURRENT), ("spike response", RESPONSE), ("sigma-delta spikes", QUANTA)) for full in (0, 1)},
        "sigma-delta": case(**CHANGES),
        "coarse step": case(**CUBA, rec={}, dt="4 ms", delay="uniform(4 ms, 20 ms)"),
    },
    "losses": {
        **{f"{kind}, {loss}": case(**CUBA, rec={}, train=readout(kind, loss=loss))
           for kind in ("per_step", "last", "mean", "sum", "max_over_time") for loss in ("cross_entropy", "mse")},
        **{f"{kind}, regression": case(**CUBA, rec={}, inputs=3, data=LORENZ, train=readout(kind, loss="mse"))
           for kind in ("per_step", "last", "mean", "sum", "max_over_time")},
        "rate penalty": case(**CUBA, rec={}, train=readout("mean", regularize={
            "rate": {"lower": "0.1 kHz", "upper": "0.25 kHz", "weight": 50.0}})),
        "penalties of spikes": case(**FIRES, train=readout("mean", regularize=[
            {"rate": {"upper": "0.1 kHz", "weight": 50.0, "populations": ["rec"]}, "spikes_l1": {"weight": 0.2, "above": 2.5}},
            {"population_rate": {"lower": "0.2 kHz", "upper": "0.22 kHz", "weight": 90.0}},
            {"spikes_l2": {"weight": 0.1, "populations": ["out"]}}])),
        "penalty of voltages": case(**FIRES, train=readout("mean", regularize={
            "voltage": {"state": "v", "lower": 0.2, "upper": 0.7, "weight": 3.0, "populations": ["rec", "out"]}})),
        "labels per step, skip": case(**CUBA, rec={}, train=readout("per_step", skip=5)),
        "label smoothing": case(**CUBA, rec={}, train=readout("mean", label_smoothing=0.1)),
        "first spike": case(**FIRES, train=readout("first_spike", tau="5 ms")),
        "first spike, mse": case(**FIRES, train=readout("first_spike", tau="5 ms", silent="4 ms", loss="mse", skip=6,
                                                        targets={"right": "10 ms", "wrong": "30 ms"})),
        "van rossum": case(**FIRES, data=TRAINS, outputs=CLASSES, train=readout("per_step", tau="6 ms", loss="van_rossum")),
        "vote": case(**CUBA, rec={}, train=readout("vote")),
        "vote, every fourth step, mse": case(**CUBA, rec={}, train=readout("vote", loss="mse", every=4, skip=3)),
        "every fourth step": case(**CUBA, rec={}, train=readout("per_step", every=4, skip=3)),
        "spike count, targets": case(**FIRES, train=readout("sum", loss="mse", targets={"right": 9.0, "wrong": 2.0})),
        "label smoothing, mse": case(**CUBA, rec={}, train=readout("mean", label_smoothing=0.1, loss="mse")),
    },
    "conv": {
        "max and average pooling": conv(),
        "max pooling twice, recurrent": conv(second="max_pool", recurrent=True),
        "sum pooling, recurrent, reset full": conv("sum_pool", "sum_pool", True, train=FULL),
        "delays": conv(second="max_pool", recurrent=True, delay="2 ms"),
        "stride, rectangular kernel, less padding": conv(window={"kernel": [3, 2], "stride": [1, 2], "padding": [1, 0]}, middle=(4, 8, 4)),
        "bias of each channel": conv(bias=True),
        "dilation": conv(window={"kernel": [3, 2], "dilation": [2, 3], "padding": [2, 1]}, middle=(4, 8, 7)),
    },
    "surrogates": {
        f"{kind}, {reset}": case(**CUBA, rec={}, delay="uniform(1 ms, 4 ms)",
                                 train={"surrogate": {kind: b, "scale": 0.7}, "reset": reset})
        for kind, b in (("superspike", 10.0), ("sigmoid", 4.0), ("arctan", 3.0), ("triangle", 1.5), ("boxcar", 2.0), ("gaussian", 3.0))
        for reset in ("detached", "full")
    },
}


def ms(x):
    return float(str(x).replace(" ms", ""))


def listed(x):
    return x if isinstance(x, list) else [x]


def number(x):
    return float(x.replace(" kHz", "")) if isinstance(x, str) and x.endswith("kHz") else x


def settings(x):
    t = x["train"]
    s = dict(t["surrogate"])
    scale = s.pop("scale", 1.0)
    (kind, b), = s.items()
    return {"input": t["input"], "readout": t["readout"]["population"], "from": t["readout"]["from"], "loss": t["loss"],
            "skip": t.get("skip", 0), "every": t.get("every", 1), "tau": ms(t.get("tau", 1)), "silent": ms(t.get("silent", 0)),
            "targets": [ms(t.get("targets", {}).get(k, v)) for k, v in (("right", 1), ("wrong", 0))], "label_smoothing": t.get("label_smoothing", 0), "reset": t.get("reset", "detached"),
            "regularize": [(k, {n: number(v) for n, v in b.items()}) for m in listed(t.get("regularize", [])) for k, b in m.items()],
            "surrogate": (kind, b, scale),
            "max_pool": {q["to"]: (q["from"], x["populations"][q["from"]]["shape"], q["kernel"], q.get("stride", q["kernel"]), round(ms(q["delay"])))
                         for q in x["projections"] if q["rule"] == "max_pool"}}


def export(folder, x, ranks=1, replicas=1, command="gradient"):
    with open(f"{folder}/parity.yaml", "w") as f:
        json.dump(x, f)  # JSON is YAML
    command = [LAPWING, command, f"{folder}/parity.yaml", "--out", f"{folder}/out", "--replicas", str(replicas), "--quiet"]
    if ranks > 1:
        command = [os.environ["LAPWING_MPIEXEC"], "-n", str(ranks)] + command
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout)
    return f"{folder}/out/gradient.h5"


def distance(a, b):
    top = np.abs(b).max()
    return float(np.abs(a - b).max() / top) if top > 0 else float(np.abs(a).max())


def compare(name, x, precision):
    folder = f"parity_{GROUP}"
    os.makedirs(folder, exist_ok=True)
    x = {**{k: v for k, v in x.items() if k != "only"}, "train": {**x["train"], "precision": precision}}
    write_data(folder, per_step="per step" in name, spikes="rossum" in name, inputs=int(np.prod(x["populations"]["in"].get("shape", INPUTS))))
    net = Network(export(folder, x), settings(x))
    net.run()
    loss = net.loss()
    loss.backward()
    worst, where, bad = abs(net.found_loss - loss.item()) / abs(loss.item()), "loss", []
    spikes = 0
    for k, found in net.found_spikes.items():
        count = torch.stack(net.emitted[k]).sum(0).detach().numpy().T
        spikes += int(count.sum())
        if not np.array_equal(count, found):
            bad.append(f"{int(np.abs(count - found).sum())} spikes of {k} differ")
    for key, found in net.found.items():
        mine = net.leaf(key).grad.numpy().ravel()
        if not np.abs(mine).max() > 0:
            bad.append(f"gradient of {key} is zero")
        error = distance(found, mine)
        if error > worst:
            worst, where = error, ":".join(key)
    if spikes == 0:
        bad.append("no spikes")
    if not worst <= TOLERANCE[precision]:
        bad.append(f"allowed {TOLERANCE[precision]:g}")
    print(f"{name}, {precision}: {worst:.1e} ({where}), {spikes} spikes {'; '.join(bad)}")
    return not bad


def arrays(path):
    found = {}
    with h5py.File(path, "r") as f:
        for part in ("network", "batch", "gradient"):
            f[part].visititems(lambda n, d: found.update({f"{part}/{n}": d[...]}) if isinstance(d, h5py.Dataset) and d.dtype.kind in "iuf" else None)
        found["loss"] = np.array(f["batch"].attrs["loss"])
    return found


# the same file on any grid; gradients to rounding, all else in all bits
def grids():
    folder = "parity_grids"
    os.makedirs(folder, exist_ok=True)
    write_data(folder)
    good = True
    for name in ("delays, sparse, reset full", "learned delays, multapses", "exact integration, refractory", "recurrent with multapses",
                 "max pooling twice, recurrent"):
        x = GROUPS["conv" if "pooling" in name else "models"][name]
        write_data(folder, inputs=int(np.prod(x["populations"]["in"].get("shape", INPUTS))))
        one = arrays(export(folder, x))
        for ranks, replicas in ((2, 1), (3, 1), (2, 2), (4, 2)):
            other = arrays(export(folder, x, ranks, replicas))
            worst = 0.0
            if set(one) != set(other):
                print("other arrays", set(one) ^ set(other))
                good = False
            for key in one:
                if key.startswith("gradient") or key == "loss":
                    worst = max(worst, distance(other[key], one[key]))
                elif not np.array_equal(one[key], other[key]):
                    print(f"{name}, {ranks} ranks, {replicas} replicas: {key} differs")
                    good = False
            print(f"{name}, {ranks} ranks, {replicas} replicas: {worst:.1e}")
            good = good and worst <= 1e-12
    return good


# the largest eigenvalues of the second derivative, of networks small enough for autograd to write it down
def hessians():
    folder = "parity_hessian"
    os.makedirs(folder, exist_ok=True)
    write_data(folder)
    good = True
    sharpness = {"matrix": "hessian", "eigenvalues": 6, "steps": 120, "tolerance": 1e-11}
    small = {**CUBA, "size": 6, "rec": {}}
    cases = {
        "superspike": case(**small),
        "superspike, reset full, delays": case(**small, delay="uniform(1 ms, 4 ms)", train=FULL),
        "sigmoid, reset full": case(**small, train={**FULL, "surrogate": {"sigmoid": 4.0}}),
        "gaussian, mean, mse": case(**small, train=readout("mean", loss="mse", surrogate={"gaussian": 3.0})),
        "triangle": case(**small, train={"surrogate": {"triangle": 1.5}}),
        "boxcar": case(**small, train={"surrogate": {"boxcar": 2.0}}),
        "arctan, spiking read-out": case(**small, out="cuba_lif", out_learn=["tau_mem", "v_th"], out_weight="normal(0.5, 1)",
                                         train=readout("sum", surrogate={"arctan": 3.0})),
        "exact integration, refractory, full": case(**{**LIF, "size": 6}, train={**MV, **FULL}),
    }
    for name, x in cases.items():
        net = Network(export(folder, x), settings(x))
        wanted, apart = eigenvalues(net)
        export(folder, {**x, "sharpness": sharpness}, command="sharpness")
        with open(f"{folder}/out/summary.json") as f:
            found = json.load(f)["sharpness"]
        n = len(found["eigenvalues"])
        error = max(abs(a - b) for a, b in zip(found["eigenvalues"], wanted[::-1])) / np.abs(wanted).max()
        print(f"{name}: {len(wanted)} numbers, largest {wanted[-1]:.6g}, smallest {wanted[0]:.3g}, error {error:.1e}, not symmetric by {apart:.1e}")
        good = good and n == 6 and found["learnable"] == len(wanted) and error <= 1e-9 and apart < 1e-10
    return good


if GROUP == "grids":
    good = grids()
elif GROUP == "hessian":
    good = hessians()
else:
    only = sys.argv[4:]
    good = True
    for name, x in GROUPS[GROUP].items():
        for precision in ("double", "float"):
            if (not only or name in only) and x.get("only", precision) == precision:
                good = compare(name, x, precision) and good
sys.exit(0 if good else 1)
