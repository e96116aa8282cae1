# Eigenvalues of the loss' curvature: the same on any grid, and one line for bad input.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/tests/cli/tiny.yaml
for run in "1 1" "2 1" "3 1" "2 2" "4 2"; do
    set -- $run
    ranks "$1" sharpness "$job" --out "out$1$2" --replicas "$2" --samples 5 --set 'sharpness={eigenvalues: 3, steps: 12}'
    expect_status 0 "$1 ranks, $2 replicas"
    equal "$(value out$1$2/summary.json sharpness samples)" 5 "samples on $1 ranks"
    python3 - out11/summary.json "out$1$2/summary.json" <<'PY' || fail "eigenvalues on $1 ranks, $2 replicas differ"
import json, sys
a, b = (json.load(open(f))["sharpness"] for f in sys.argv[1:])
assert len(b["eigenvalues"]) == len(b["residuals"]) == 3 and b["eigenvalues"][0] > 0
assert all(abs(x - y) <= 1e-9 * a["eigenvalues"][0] for x, y in zip(a["eigenvalues"], b["eigenvalues"]))
assert abs(b["lr_limit"] * b["eigenvalues"][0] - 2) < 1e-12
PY
done
# the whole second derivative: on any grid, and where the read-out is linear in what is learned that of Gauss and Newton
for run in "1 1" "3 1" "4 2"; do
    set -- $run
    ranks "$1" sharpness "$job" --out "hess$1" --replicas "$2" --samples 5 --set 'sharpness={matrix: hessian, eigenvalues: 3, steps: 12}'
    expect_status 0 "hessian on $1 ranks, $2 replicas"
    python3 - hess1/summary.json "hess$1/summary.json" out11/summary.json <<'PY' || fail "eigenvalues of the second derivative on $1 ranks"
import json, sys
a, b, g = (json.load(open(f))["sharpness"] for f in sys.argv[1:])
assert b["matrix"] == "hessian" and g["matrix"] == "gauss_newton" and b["loss"] == a["loss"] or abs(b["loss"] - a["loss"]) < 1e-12
assert all(abs(x - y) <= 1e-9 * a["eigenvalues"][0] for x, y in zip(a["eigenvalues"], b["eigenvalues"]))
assert abs(b["eigenvalues"][0] - g["eigenvalues"][0]) > 1e-6 * g["eigenvalues"][0]
PY
done
only='--quiet --set projections.0.learn=false --set projections.1.learn=false --set populations.rec.learn=[] --set populations.out.learn=[]'
for matrix in hessian gauss_newton; do
    ranks 1 sharpness "$job" --out "only_$matrix" $only --set "sharpness={matrix: $matrix}"; expect_status 0 "$matrix of the read-out"
done
python3 - <<'PY' || fail "the read-out's second derivative is not its Gauss-Newton matrix"
import json
h, g = (json.load(open("only_%s/summary.json" % m))["sharpness"]["eigenvalues"] for m in ("hessian", "gauss_newton"))
assert len(h) == len(g) and all(abs(x - y) <= 1e-9 * g[0] for x, y in zip(h, g))
PY
ranks 2 sharpness "$job" --out bad --set 'sharpness={matrix: fisher}'; expect_status 2 "unknown matrix"
equal "$(grep -c '^lapwing: .*sharpness.matrix: found "fisher", allowed: gauss_newton, hessian' log)" 1 "lines for an unknown matrix"
# what the number means: a read-out that is linear in what is learned, squared error, all eight recordings in one batch:
# gradient descent converges just below 2 / largest and runs away just above
linear='--quiet --set projections.0.learn=false --set projections.1.learn=false --set populations.rec.learn=[] --set populations.out.learn=[]
    --set train.loss=mse --set train.batch=8 --set train.validation=0 --set train.precision=double'
ranks 1 sharpness "$job" --out limit $linear; expect_status 0 "sharpness of the read-out"
for part in 0.95 1.05; do
    lr=$(python3 -c 'import sys; print(float(sys.argv[1]) * float(sys.argv[2]))' $part "$(value limit/summary.json sharpness lr_limit)")
    ranks 1 train "$job" --out descent$part $linear --set "train.optimizer={sgd: {lr: $lr}}" --set train.epochs=80; expect_status 0 "descent at $part of the limit"
done
python3 - <<'PY' || fail "the limit of the learning rate is not where descent becomes unstable"
import csv
below, above = ([float(row["loss"]) for row in csv.DictReader(open("descent%s/metrics.csv" % part))] for part in ("0.95", "1.05"))
assert below[-1] == min(below) and below[-1] < 0.5 * below[0] and above[-1] > 10 * above[0]
PY
# a network with dropout is measured whole, as in evaluation: nothing is dropped
for matrix in hessian gauss_newton; do
    for drop in 0 0.5; do
        ranks 2 sharpness "$job" --out "drop$drop$matrix" --quiet --samples 5 --set projections.2.dropout=$drop --set "sharpness={matrix: $matrix, eigenvalues: 1, steps: 4}"
        expect_status 0 "$matrix with dropout $drop"
    done
    python3 - "drop0$matrix/summary.json" "drop0.5$matrix/summary.json" <<'PY' || fail "dropout changes the eigenvalues of $matrix"
import json, sys
a, b = (json.load(open(f))["sharpness"] for f in sys.argv[1:])
assert a["eigenvalues"] == b["eigenvalues"] and a["loss"] == b["loss"] > 0
PY
done
for n in 1 3; do
    ranks $n sharpness "$job" --out bad --samples 100000; expect_status 2 "too many samples"
    equal "$(grep -c '^lapwing: .*100000 samples asked, allowed are 1 to' log)" 1 "lines for too many samples"
    ranks $n sharpness "$job" --out bad --set 'sharpness={eigenvalues: 9, steps: 4}'; expect_status 2 "too few steps"
    equal "$(grep -c '^lapwing: .*sharpness.steps: found "4"' log)" 1 "lines for too few steps"
    ranks $n sharpness "$job" --out bad --set 'sharpness={eigenvalue: 9}'; expect_status 2 "unknown key"
    equal "$(grep -c '^lapwing: .*sharpness.eigenvalue: .*did you mean "eigenvalues"' log)" 1 "lines for an unknown key"
done
finish
