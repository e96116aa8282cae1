#!/bin/sh
# A training step here and in PyTorch (autograd loop, hand-written backward), taking turns, so that all see the same other load.
# JSON lines of every run, then per case the median milliseconds and the medians of the ratios within a round.
#
#   tests/bench/compare_train.sh [BUILD]     build folder, default build
# Ours runs in floats and in mixed precision, PyTorch in floats.
#
#   cases="A B D E F" rates="0.06 0.3" surrogates="superspike triangle" slope=3 (of the triangle) threads=1 rounds=3 repeats=3
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build}
. "$here/../../tools/environment"
threads=${threads:-1}
repeats=${repeats:-3}
OMP_NUM_THREADS=$threads
OPENBLAS_NUM_THREADS=1
# tapes of some hundred MB: without these every step of PyTorch gives its pages back and faults them in again
MALLOC_MMAP_THRESHOLD_=4294967296
MALLOC_TRIM_THRESHOLD_=4294967296
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS MALLOC_MMAP_THRESHOLD_ MALLOC_TRIM_THRESHOLD_
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
for letter in ${cases:-A B D E F}; do
  case $letter in
  A) size="16 500 128 512 10" ;;
  B) size="64 100 128 1024 10" ;;
  D) size="32 250 700 256 20" ;;
  E) size="128 784 1 256 10" ;;
  F) size="16 100 256 2048 10" ;;
  *) echo "case $letter, allowed are A B D E F" >&2; exit 2 ;;
  esac
  for rate in ${rates:-0.06 0.3}; do
    for surrogate in ${surrogates:-superspike triangle}; do
      round=0
      while [ $round -lt "${rounds:-3}" ]; do
        # one replica; the triangle's slope decides how much a compact surrogate leaves out
        for precision in float mixed; do
          "$build/tests/bench/bench_train" $size $rate $surrogate $threads $repeats 1 ${slope:-3} 0 $precision | tee -a "$lines"
        done
        # torch's own products use the BLAS that OPENBLAS_NUM_THREADS speaks to
        for variant in autograd manual; do
          OPENBLAS_NUM_THREADS=$threads /usr/bin/python3 -W ignore "$here/peer_torch.py" $variant $size $rate $surrogate \
            $threads $repeats ${slope:-3} | tee -a "$lines"
        done
        round=$((round + 1))
      done
    done
  done
done
/usr/bin/python3 - "$lines" <<'PYTHON'
import json
import statistics
import sys

runs = {}
for line in open(sys.argv[1]):
    r = json.loads(line)
    key = (tuple(r["case"]), r["rate_wanted"], r["surrogate"])
    runs.setdefault(key, {}).setdefault("mixed" if r.get("mixed") else r["bench"], []).append(r)
for (case, rate, surrogate), by in runs.items():
    own = by["train"]
    ms = [r["step_ms"] for r in own]
    share = statistics.median(r["gflops"] / r["sgemm_gflops"] for r in own)
    text = f"{case} rate {rate} {surrogate}: {statistics.median(ms):.1f} ms, dense FLOPs at {share:.2f} of sgemm"
    for name in ("torch_autograd", "torch_manual"):
        if name in by:
            other = [r["step_ms"] for r in by[name]]
            ratio = statistics.median(o / m for o, m in zip(other, ms))
            mixed = statistics.median(o / m["step_ms"] for o, m in zip(other, by["mixed"]))
            text += f"; {name} {statistics.median(other):.1f} ms ({ratio:.2f}x, mixed {mixed:.2f}x, fires {by[name][0]['rate']})"
    print(text + f"; mixed {statistics.median(r['step_ms'] for r in by['mixed']):.1f} ms; fires {own[0]['rate']}")
PYTHON
