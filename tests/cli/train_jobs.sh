# The training jobs of the project: every file is read, and those whose data are here train a little and are evaluated; so does a series with targets in .npy.
. "$(dirname "$0")/support.sh"
jobs=$LAPWING_SOURCE/jobs
# without data: the file is read to the end, and what is missing is data and nothing else
for job in mnist-rows/rows psmnist/psmnist nmnist/nmnist nmnist-conv/nmnist-conv spoken-digits/spoken-digits series/laser series/wind series/stock; do
    ranks 1 run "$jobs/$job.yaml" --out out
    [ "$status" -ne 0 ] || fail "$job: status 0 without data"
    grep -q "data/.*: No such file" log || { fail "$job: not refused for its data"; sed 's/^/    /' log >&2; }
done
# trains FILE ARGUMENTS...: one short training and an evaluation
trains() {
    ranks 1 run "$@" --out out --set train.epochs=1
    expect_status 0 "$1"
}
trains "$jobs/series/lorenz63.yaml" --set data.train.samples=4 --set data.test.samples=2 --set data.train.steps=40 --set data.test.steps=40
trains "$jobs/yin-yang/yin-yang.yaml" --set populations.rec.size=20
python3 - <<'END'
import random, struct
def save(path, shape, values):
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (shape,)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack("<%df" % len(values), *values))
random.seed(1)
save("x.npy", (4, 30, 12), [random.gauss(0, 1) for _ in range(4 * 30 * 12)])
save("y.npy", (4, 30, 1), [float("nan") if i % 30 > 27 else random.gauss(0, 1) for i in range(4 * 30)])
END
here=$PWD
trains "$jobs/series/wind.yaml" --set data.train.x="$here/x.npy" --set data.train.labels="$here/y.npy" --set data.test.x="$here/x.npy" --set data.test.labels="$here/y.npy"
finish
