# Spectrum, pruning, training and evaluation in one run, on 1 to 4 ranks, with replicas and partitions; exact counts; the same pruned network.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/tests/cli/tiny.yaml
for run in "1 1" "2 2" "3 1" "4 2"; do
    set -- $run
    ranks "$1" run "$job" --out "out$1" --replicas "$2"
    expect_status 0 "$1 ranks, $2 replicas"
    equal "$(value out$1/summary.json prune neurons_after)" 12 "neurons on $1 ranks"
    equal "$(value out$1/summary.json prune synapses_after)" 115 "synapses on $1 ranks"
    equal "$(value out$1/summary.json synapses)" $((115 + 12 * 4 + 12 * 6)) "all synapses on $1 ranks"
    [ -s out$1/lyapunov.h5 ] && [ -s out$1/prune.json ] && [ -s out$1/metrics.csv ] && [ -e out$1/checkpoint.h5 ] || fail "files missing on $1 ranks"
    python3 - out1/summary.json "out$1/summary.json" <<'P' || failed=1
import json, sys
a, b = (json.load(open(p)) for p in sys.argv[1:])
for x, y in zip(a["stages"][0]["lyapunov"]["spectrum"], b["stages"][0]["lyapunov"]["spectrum"]):
    assert abs(x - y) < 1e-9, ("spectrum", x, y)
for key in ("ranks", "replicas", "neurons", "synapses", "wall_s", "peak_rss_bytes", "loss", "accuracy", "sops_per_sample", "lyapunov", "prune"):
    assert key in b, key
assert abs(a["accuracy"] - b["accuracy"]) < 0.05, (a["accuracy"], b["accuracy"])
P
done
for method in random magnitude activity noise; do
    ranks 2 prune "$job" --out $method --method $method
    expect_status 0 $method
    equal "$(value $method/summary.json prune synapses_after)" 115 "synapses with $method"
done
ranks 2 gradcheck "$job" --out check --replicas 2 --steps 40
expect_status 0 gradcheck
mkdir elsewhere # the data are found from any working folder
cd elsewhere
ranks 2 evaluate ../out2/checkpoint.h5 --out ../again --json
expect_status 0 evaluate
cd ..
equal "$(value again/summary.json accuracy)" "$(value out2/summary.json accuracy)" "accuracy of the checkpoint"
finish
