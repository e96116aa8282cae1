#!/bin/sh
# Time of a step on 1, 2, 4, 8, 16 ranks of one machine, more ranks than cores, for two networks of the same size, in-degree and rate:
# `near`, where ranks have two neighbours however many ranks there are, and `all`, where every rank needs every other. What an exchange
# sends is counted and stands beside the time: with more ranks `near` sends as many messages of each rank, `all` ever more.
# The cores' own share is taken out: a step's work is divided among the cores and so are the ranks' exchanges, so the time that is
# printed as `per exchange and rank` is (time - time of one rank, work only) x cores / ranks / exchanges.
#
#     LAPWING_BIN=build/bin/lapwing sh tests/bench/scaling.sh [milliseconds] [ranks...]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tools/environment"
program=$(realpath "${LAPWING_BIN:-build/bin/lapwing}")
ms=${1:-1000}
[ $# -eq 0 ] || shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# near: a ring, no edge redirected; all: the same number of inputs from anywhere
for net in near all; do
    [ $net = near ] && rule='small_world(40, 0)' || rule='fixed_indegree(40)'
    cat >$net.yaml <<END
name: $net
time: {dt: 0.1 ms, duration: $ms ms}
seed: 3
populations:
  E: {model: lif_delta, size: 16000, params: {tau_m: 20 ms, V_th: 20 mV, V_reset: 10 mV, t_ref: 2 ms, E_L: 0 mV}, init: {V_m: "uniform(0 mV, 20 mV)"}}
projections:
  - {from: E, to: E, rule: "$rule", weight: 0.02 mV, delay: 1.5 ms, autapses: false, multapses: false}
inputs:
  - {to: E, poisson: 4 kHz, weight: 0.25 mV}
checkpoint: {at_end: false}
END
done
[ $# -gt 0 ] || set -- 1 2 4 8 16
for net in near all; do
    for n in "$@"; do
        mpirun -n "$n" "$program" simulate $net.yaml --out "$net$n" --quiet
        "$program" plan $net.yaml --ranks "$n" --rates "$net$n/summary.json" --machine none.json --out "plan-$net$n" --quiet >/dev/null 2>&1
    done
done
python3 - "$ms" "$@" <<'END'
import json, os, sys
ms, ranks = float(sys.argv[1]), [int(n) for n in sys.argv[2:]]
cores, steps = len(os.sched_getaffinity(0)), ms / 0.1
exchanges = steps / 15
print(f"{cores} cores, {steps:.0f} steps, an exchange every 15")
print(f"{'net':5} {'ranks':>5} {'us/step':>8} {'messages':>9} {'planned':>8} {'bytes':>9} {'planned':>9} {'us per exchange and rank':>25} {'checksum':>17}")
print(f"{'':20} {'per rank and exchange':>37}")
for net in ("near", "all"):
    one = None
    for n in ranks:
        run = json.load(open(f"{net}{n}/summary.json"))
        plan = json.load(open(f"plan-{net}{n}/plan.json"))["plans"][0]["mean_rank"]
        wall = run["realtime_factor"] * ms / 1e3
        work = sum(run["phase_s"][k] for k in ("deliver", "stimulus", "update"))
        one = one or (wall if n == 1 else work * n)
        ideal = one / min(n, cores)
        share = (wall - ideal) * min(cores, n) / n / exchanges * 1e6
        print(f"{net:5} {n:5d} {wall / steps * 1e6:8.1f} {run['messages_sent'] / exchanges / n:9.2f} {plan['messages_per_exchange']:8.2f} "
              f"{run['bytes_sent'] / exchanges / n:9.1f} {plan['bytes_per_exchange']:9.1f} {share:25.1f} {run['spike_checksum']:>17}")
END
