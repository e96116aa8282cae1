#!/bin/sh
# Brunel networks D (delta) and X (exp) and the microcircuit on 1 and 2 ranks, with Brian2 on one core in the same run where
# Debian's python3-brian is installed. One JSON line per measurement; medians of five.
#
#   tests/bench/compare.sh [BUILD]     build folder, default build; quick=1 leaves out the microcircuit
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build}
. "$here/../../tools/environment"
OMP_NUM_THREADS=1
export OMP_NUM_THREADS
for net in exp delta; do
  /usr/bin/python3 -W ignore "$here/peer_brian2.py" $net 1000 || [ $? -eq 77 ]
  for weights in one each; do
    for ranks in 1 2; do
      mpirun -n $ranks "$build/tests/bench/bench_simulate" $net $weights f32 1000
    done
  done
done
[ -n "${quick:-}" ] || for ranks in 1 2; do
  mpirun -n $ranks "$build/tests/bench/bench_microcircuit" 1000
done
