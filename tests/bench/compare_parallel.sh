#!/bin/sh
# A training step on one rank, on two partitions, two replicas and two threads, taking turns; JSON lines of every run, then per case the median
# milliseconds, the medians of the ratios within a round, and bytes per step and neuron of the halo. Beside the ratios stands what the machine gives:
#   alone    two processes that train one network each, without a word: their throughput over that of one process
#   halves   the same with half a batch each: two replicas (or threads) that neither add gradients nor divide the update
# Partitions may pass both: each holds half the weights, which fit the caches better.
#
#   tests/bench/compare_parallel.sh [BUILD]     build folder, default build
#   cases="64,100,128,1024,10 64,40,256,2048,10" rate=0.06 surrogate=superspike rounds=3 repeats=5
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${LAPWING_OWN_SESSION:-}" ]; then
  # Linux shares processors between sessions first (autogroup), so nice does nothing against other sessions' programs; a session of its own may get weight
  LAPWING_OWN_SESSION=1 exec setsid -w sh "$0" "$@"
fi
{ echo -19 >/proc/self/autogroup; } 2>/dev/null || true
build=${1:-$here/../../build}
. "$here/../../tools/environment"
program=$build/tests/bench/bench_train
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
for case in ${cases:-16,250,128,512,10 64,100,128,1024,10 64,40,256,2048,10}; do
  size=$(echo "$case" | tr , ' ')
  half=$(echo "$case" | awk -F, '{print int($1 / 2), $2, $3, $4, $5}')
  rest="${rate:-0.06} ${surrogate:-superspike}"
  round=0
  while [ $round -lt "${rounds:-3}" ]; do
    for kind in one partitions replicas threads alone halves; do
      case $kind in
      one) run="mpirun -n 1 $program $size $rest 1 ${repeats:-5} 1" ;;
      partitions) run="mpirun -n 2 $program $size $rest 1 ${repeats:-5} 1" ;;
      replicas) run="mpirun -n 2 $program $size $rest 1 ${repeats:-5} 2" ;;
      threads) run="mpirun -n 1 $program $size $rest 2 ${repeats:-5} 1" ;;
      alone) run="mpirun -n 2 $program $size $rest 1 ${repeats:-5} 0" ;;
      halves) run="mpirun -n 2 $program $half $rest 1 ${repeats:-5} 0" ;;
      esac
      $run | sed "s/^{/{\"of\": \"$case\", \"round\": $round, \"kind\": \"$kind\", /" | tee -a "$lines"
    done
    round=$((round + 1))
  done
done
/usr/bin/python3 - "$lines" <<'PYTHON'
import json
import statistics
import sys

cases = {}
for line in open(sys.argv[1]):
    r = json.loads(line)
    kinds = cases.setdefault(r["of"], {})
    kinds.setdefault(r["kind"], {}).setdefault(r["round"], []).append(r)
for case, kinds in cases.items():
    # the slower of two processes of a round counts
    ms = {k: [max(r["step_ms"] for r in rounds[i]) for i in sorted(rounds)] for k, rounds in kinds.items()}
    ratio = {k: statistics.median(a / b for a, b in zip(ms["one"], ms[k])) for k in ms}
    gemm = {k: statistics.median(sum(r["sgemm_gflops"] for r in rs) for rs in kinds[k].values()) for k in ("one", "alone")}
    print(f"batch, steps, inputs, neurons, outputs {case}: {statistics.median(ms['one']):.1f} ms on one rank, sgemm {gemm['one']:.0f} GFLOP/s")
    print(f"  machine: alone {2 * ratio['alone']:.2f}x, halves {ratio['halves']:.2f}x, sgemm {gemm['alone'] / gemm['one']:.2f}x")
    for k in ("partitions", "replicas", "threads"):
        runs = [r for rs in kinds[k].values() for r in rs]
        text = f"  {k}: {statistics.median(ms[k]):.1f} ms, {ratio[k]:.2f}x ({min(a / b for a, b in zip(ms['one'], ms[k])):.2f} to {max(a / b for a, b in zip(ms['one'], ms[k])):.2f})"
        if k == "partitions":
            text += f", {runs[0]['bytes_per_step']:.0f} bytes per step over a halo of {runs[0]['halo_neurons']}, {runs[0]['bytes_per_step_and_halo_neuron']:.1f} each"
        if k == "replicas":
            text += f", {runs[0]['bytes_to_replicas']:.0f} bytes sent per update"
        print(text)
PYTHON
