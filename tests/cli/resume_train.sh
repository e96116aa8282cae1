# A training stopped by a signal and resumed on the same grid ends with the same bits as an uninterrupted one.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/tests/cli/tiny.yaml
long="--set train.epochs=40"
ranks 2 train "$job" --out whole $long --replicas 2
expect_status 0 "uninterrupted"
"$LAPWING_MPIEXEC" -n 2 "$LAPWING_BIN" train "$job" --out stopped $long --replicas 2 >stdout 2>log &
pid=$!
until [ -s stopped/metrics.csv ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
done
kill -USR2 $pid 2>/dev/null || true
status=0
wait $pid || status=$?
expect_status 3 "stopped by USR2"
ranks 2 train "$job" --out stopped $long --replicas 2 --resume
expect_status 0 "resumed"
h5diff -q --exclude-path /provenance whole/checkpoint.h5 stopped/checkpoint.h5 /network /network || fail "weights differ"
equal "$(cut -d, -f1-4 stopped/metrics.csv | tail -n 1)" "$(cut -d, -f1-4 whole/metrics.csv | tail -n 1)" "last line of metrics.csv"
# crossovers of adjoint products are measured where that is wanted; elsewhere they are the same everywhere
equal "$(value whole/summary.json crossover place)" "[2.0, 750.0]" "fixed crossover"
ranks 2 train "$job" --out measured --set train.epochs=1 --set train.crossover=measured
expect_status 0 "measured crossover"
equal "$(value measured/summary.json crossover place_measured)" True "the crossover was measured"
# a damaged newest checkpoint: the older one is used, and said so
newest=$(readlink stopped/checkpoint.h5)
cp "stopped/$newest" intact.h5
python3 - "stopped/$newest" <<'P'
import sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
data[len(data) // 2] ^= 0x10
open(path, "wb").write(data)
P
ranks 1 inspect "stopped/$newest"
[ "$status" != 0 ] || grep -qi "damaged\|not whole" stdout || fail "inspect calls a damaged file whole"
ranks 2 evaluate "stopped/$newest" --out after
grep -q "$newest" log || fail "the damaged file is not named"
finish
