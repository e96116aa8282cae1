#!/bin/sh
# A training step here, in PyTorch (autograd loop, hand-written backward) and with the layers of snnTorch and Norse, taking turns, so
# that all see the same other load. JSON lines of every run, then per case medians of milliseconds and of the ratios within a round.
# The two libraries come from PyPI, without what they depend on, into a virtual environment beside the build, which sees the system's
# PyTorch; one that cannot be installed or imported is left out with a line that says so.
#
#   tests/bench/compare_peers.sh [BUILD]     build folder, default build
#   cases="A B D" rates="0.06" threads=1 rounds=3 repeats=2 peers=FOLDER (default BUILD/peers)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build}
. "$here/../../tools/environment"
threads=${threads:-1}
repeats=${repeats:-2}
peers=${peers:-$build/peers}
python=$peers/bin/python
OMP_NUM_THREADS=$threads
OPENBLAS_NUM_THREADS=1
# tapes of some hundred MB: without these every step of PyTorch gives its pages back and faults them in again
MALLOC_MMAP_THRESHOLD_=4294967296
MALLOC_TRIM_THRESHOLD_=4294967296
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS MALLOC_MMAP_THRESHOLD_ MALLOC_TRIM_THRESHOLD_

[ -x "$python" ] || /usr/bin/python3 -m venv --system-site-packages "$peers"
/usr/bin/python3 -c "import torch" 2>/dev/null || { echo "compare_peers: no PyTorch here, nothing to compare with" >&2; exit 77; }
libraries=
for wanted in snntorch==1.0.0 norse==1.0.0; do
  name=${wanted%%=*}
  if ! "$python" -W ignore -c "import $name" 2>>"$peers/import.log"; then
    if [ $name = norse ]; then
      # its source without the compiled extension, which the layers do not use and which does not build with an older PyTorch
      "$python" -m pip download --no-deps --no-build-isolation --no-binary norse -d "$peers" "$wanted" >"$peers/$name.log" 2>&1 &&
        tar xzf "$peers/norse-1.0.0.tar.gz" -C "$peers" &&
        cp -r "$peers/norse-1.0.0/norse" "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || true
    else
      "$python" -m pip install --no-deps "$wanted" >"$peers/$name.log" 2>&1 || true
    fi
  fi
  if "$python" -W ignore -c "import $name" 2>>"$peers/import.log"; then
    libraries="$libraries $name"
  else
    echo "compare_peers: $wanted cannot be installed or imported, left out; see $peers/$name.log and $peers/import.log" >&2
  fi
done

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
for letter in ${cases:-A B D}; do
  case $letter in
  A) size="16 500 128 512 10" ;;
  B) size="64 100 128 1024 10" ;;
  D) size="32 250 700 256 20" ;;
  E) size="128 784 1 256 10" ;;
  F) size="16 100 256 2048 10" ;;
  *) echo "case $letter, allowed are A B D E F" >&2; exit 2 ;;
  esac
  for rate in ${rates:-0.06}; do
    round=0
    while [ $round -lt "${rounds:-3}" ]; do
      "$build/tests/bench/bench_train" $size $rate superspike $threads $repeats | tee -a "$lines"
      for variant in autograd manual; do
        OPENBLAS_NUM_THREADS=$threads /usr/bin/python3 -W ignore "$here/peer_torch.py" $variant $size $rate superspike \
          $threads $repeats | tee -a "$lines"
      done
      for name in $libraries; do
        OPENBLAS_NUM_THREADS=$threads "$python" -W ignore "$here/peer_$name.py" $size $rate $threads $repeats | tee -a "$lines"
      done
      round=$((round + 1))
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
    runs.setdefault((tuple(r["case"]), r["rate_wanted"]), {}).setdefault(r["bench"], []).append(r)
for (case, rate), by in runs.items():
    own = [r["step_ms"] for r in by["train"]]
    text = f"{case} rate {rate}, threads {by['train'][0]['threads']}: {statistics.median(own):.1f} ms, fires {by['train'][0]['rate']}"
    for name, rows in by.items():
        if name == "train":
            continue
        other = [r["step_ms"] for r in rows]
        pairs = [o / m for o, m in zip(other, own)]
        text += f"; {name} {statistics.median(other):.1f} ms ({statistics.median(pairs):.1f}x, {min(pairs):.1f} to {max(pairs):.1f},"
        text += f" fires {rows[0]['rate']})"
    print(text)
PYTHON
