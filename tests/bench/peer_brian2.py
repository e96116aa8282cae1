#!/usr/bin/env python3
"""The networks of bench_simulate in Brian2's C++ standalone mode; one JSON line with the median of repeated runs.

    peer_brian2.py delta|exp [milliseconds] [repeats]

Same neurons, weights, delays and numbers of inputs; connectivity is drawn by numpy. Only the run() call after the first
100 ms is timed, as Brian2 itself reports it. Exits with status 77 and a message where Brian2 is not installed.
"""
import json
import statistics
import sys
import tempfile

try:
    import brian2 as b
except ImportError:
    print("Brian2 is not installed (Debian package python3-brian): left out", file=sys.stderr)
    sys.exit(77)
import numpy as np

NEURONS, EXCITATORY, INPUTS_E, INPUTS_I = 10000, 8000, 800, 200


def connect(source, first, n_source, indegree, group, effect, rng):
    """`indegree` sources of each neuron, with replacement, never itself."""
    target = np.repeat(np.arange(NEURONS, dtype=np.int32), indegree)
    drawn = rng.integers(0, n_source, size=NEURONS * indegree, dtype=np.int32)
    itself = drawn + first == target
    drawn[itself] = (drawn[itself] + 1) % n_source
    synapses = b.Synapses(source, group, on_pre=effect, delay=1.5 * b.ms)
    synapses.connect(i=drawn, j=target)
    return synapses


def build(network, milliseconds, folder):
    """Generate and compile; running the program again repeats the simulation."""
    delta = network == "delta"
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.prefs.devices.cpp_standalone.openmp_threads = 0
    b.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-march=native", "-ffast-math"]
    b.defaultclock.dt = 0.1 * b.ms
    b.seed(1)
    scope = {"tau": 20 * b.ms, "tau_syn": 0.5 * b.ms, "C": 250 * b.pF, "I_e": (0 if delta else 500) * b.pA,
             "V_th": 20 * b.mV, "V_reset": (10 if delta else 0) * b.mV}
    if delta:
        equations = "dv/dt = -v / tau : volt (unless refractory)"
    else:
        equations = """dv/dt = -v / tau + (I + I_e) / C : volt (unless refractory)
                       dI/dt = -I / tau_syn : amp"""
    group = b.NeuronGroup(NEURONS, equations, threshold="v >= V_th", reset="v = V_reset", refractory=2 * b.ms,
                          method="exact", namespace=scope)
    group.v = "rand() * 20 * mV"
    effect = "v_post += %g * mV" if delta else "I_post += %g * pA"
    weight = 0.1 if delta else 54.960220400134794
    rng = np.random.default_rng(1)
    parts = [group,
             connect(group[:EXCITATORY], 0, EXCITATORY, INPUTS_E, group, effect % weight, rng),
             connect(group[EXCITATORY:], EXCITATORY, NEURONS - EXCITATORY, INPUTS_I, group, effect % (-5 * weight),
                     rng)]
    if delta:
        parts.append(b.PoissonInput(group, "v", 1000, 20 * b.Hz, weight=0.1 * b.mV))
    spikes = b.SpikeMonitor(group, record=False)
    net = b.Network(parts + [spikes])
    net.run(100 * b.ms)
    net.run(milliseconds * b.ms)
    b.device.build(directory=folder, compile=True, run=False, clean=False)
    return spikes


def main():
    network = sys.argv[1]
    milliseconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1000
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with tempfile.TemporaryDirectory() as folder:
        spikes = build(network, milliseconds, folder)
        seconds = []
        for _ in range(repeats):
            b.device.run(folder, False, [])
            seconds.append(float(b.device._last_run_time))
        rate = float(np.sum(spikes.count[:])) / NEURONS / (milliseconds + 100) * 1000
    wall = statistics.median(seconds)
    print(json.dumps({"bench": "brian2", "net": network, "rate_hz": round(rate, 2),
                      "realtime_factor": round(wall / milliseconds * 1000, 3),
                      "events_per_s": rate * NEURONS * (INPUTS_E + INPUTS_I) * milliseconds / 1000 / wall}))


main()
