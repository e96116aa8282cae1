# Weights before training by the largest exponent: exactly known on rate units with an orthogonal matrix, found again by the stage
# lyapunov on a random rate network and on a spiking one; the same on any grid; bad input.
. "$(dirname "$0")/support.sh"
cat >data.py <<'P'
import array, struct
def npy(path, kind, shape, values):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    head += " " * (63 - (len(head) + 10) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + values.tobytes())
npy("x.npy", "<f4", "(4, 50, 3)", array.array("f", [0.2 + (7 * i % 10) / 10 for i in range(600)]))
npy("y.npy", "|u1", "(4,)", array.array("B", [0, 1, 0, 1]))
P
python3 data.py
experiment() { # model size weight params input-weight
    cat <<Y
name: init
time: {dt: 1 ms}
seed: 3
populations:
  in: {model: relay, size: 3}
  rec: {model: $1, size: $2, params: $4}
  out: {model: li, size: 2, params: {tau_mem: 2 ms}} # what leaks slowest in the whole network bounds its largest exponent
projections:
  - {from: in, to: rec, rule: all_to_all, weight: $5, delay: 0 ms, learn: true}
  - {from: rec, to: rec, rule: all_to_all, weight: "$3", learn: true}
  - {from: rec, to: out, rule: all_to_all, weight: fan_in(1), delay: 0 ms, learn: true}
data: {train: {format: npy, x: x.npy, labels: y.npy, classes: 2}}
train: {input: in, readout: {population: out, from: mean}, loss: cross_entropy, batch: 4, epochs: 0, surrogate: {superspike: 2.0}}
lyapunov: {exponents: 1, steps: 4000, transient: 400, surrogate: {superspike: 2.0}}
stages: [train]
Y
}
near() { # found wanted tolerance what
    python3 -c 'import sys; a, b, t = map(float, sys.argv[1:4]); sys.exit(not abs(a - b) <= t)' "$1" "$2" "$3" || fail "$4: found $1, expected $2 within $3"
}
units=$LAPWING_SOURCE/tests/models/tanh_unit.model

# at rest the Jacobian is the gain times 2 Q, all of whose eigenvalues have the absolute value 2: exponent log(2 gain) per step
experiment "$units" 20 'orthogonal(2)' '{}' 0 >rest.yaml
for run in "1 1" "2 1" "3 1" "2 2"; do
    set -- $run
    ranks $1 run rest.yaml --out "rest$1$2" --replicas $2 --set 'train.initialize={target: lyapunov, exponent: -100 Hz, tolerance: 0.2 Hz, steps: 200}'
    expect_status 0 "rate units at rest on $1 ranks"
    equal "$(value rest$1$2/summary.json initialize 0 reached)" True "reached on $1 ranks"
    near "$(value rest$1$2/summary.json initialize 0 gain)" 0.452418709 0.0002 "gain of the orthogonal matrix on $1 ranks"
    near "$(value rest$1$2/summary.json initialize 0 before_per_ms)" 0.693147181 1e-4 "exponent before"
    equal "$(value rest$1$2/summary.json initialize 0 gain)" "$(value rest11/summary.json initialize 0 gain)" "the same gain on $1 ranks"
done

# The stage lyapunov finds the exponent again. It is driven by `inputs`, and so is then the search: noise of the same seed. Another
# length of the run, so that equal numbers would be chance: within the errors of both.
again() { # name wanted
    ranks 2 run $1.yaml --out $1 --set "train.initialize={target: lyapunov, exponent: $2, tolerance: 4 Hz, steps: 2000}" --set 'stages=[train, lyapunov]'
    expect_status 0 "$1"
    equal "$(value $1/summary.json initialize 0 reached)" True "$1 reached"
    python3 - $1/summary.json <<'P' || fail "$1: the exponent is not found again"
import json, sys
s = json.load(open(sys.argv[1]))
i, l = s["initialize"][0], s["lyapunov"]
error = 3 * (i["stderr"] ** 2 + l["stderr"][0] ** 2) ** 0.5 + 0.004
print(i, l["lambda_max"], l["stderr"])
assert abs(l["lambda_max"] - i["wanted_per_ms"]) <= error, (l["lambda_max"], i["wanted_per_ms"], error)
assert abs(i["before_per_ms"] - i["wanted_per_ms"]) > 2 * error, "nothing to do"
P
}
experiment "$units" 60 'normal(0, 0.4)' '{}' 0.5 >smooth.yaml
echo 'inputs: [{to: rec, noise: {mean: 0, sd: 0.3}}]' >>smooth.yaml
again smooth '20 Hz'
experiment cuba_lif 60 'normal(0, 0.2)' '{tau_mem: 20 ms, tau_syn: 5 ms, bias: 0.9}' 0.5 >spiking.yaml
echo 'inputs: [{to: rec, noise: {mean: 0, sd: 0.3}}]' >>spiking.yaml
again spiking '20 Hz'

# an earlier stage's weights stay
ranks 1 train spiking/checkpoint.h5 --out later --set 'train.initialize={target: rate, rate: 20 Hz}'
expect_status 0 "a later training"
grep -q 'stay as they are' log || fail "weights of an earlier stage were not left alone"
python3 -c 'import json; assert "initialize" not in json.load(open("later/summary.json"))["stages"][0]' || fail "initialize ran again"

wrong() { # setting, text
    ranks $n run rest.yaml --out bad --set "train.initialize=$1"
    expect_status 2 "$1"
    equal "$(grep -c "^lapwing: .*$2" log)" 1 "lines of \"$2\" for $1"
}
for n in 1 3; do
    wrong '{rate: 3 Hz}' 'missing key "target"'
    wrong '{target: width}' 'rate, lyapunov'
    wrong '{target: rate}' 'missing key "rate"'
    wrong '{target: rate, rate: 3}' 'kHz'
    wrong '{target: rate, rate: 3 Hz, populations: [rec]}' 'population rec has no rate'
    wrong '{target: rate, rate: 3 Hz}' 'no spiking population'
    wrong '{target: lyapunov, exponent: 1 Hz, population: out}' 'from a population to itself'
    wrong '{target: lyapunov, exponent: 1 Hz, step: 3}' 'did you mean "steps"'
done
finish
