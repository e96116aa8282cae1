# A rank that stands still is found by --stall: the job ends, and does not hang.
. "$(dirname "$0")/support.sh"
"$LAPWING_MPIEXEC" -n 2 "$LAPWING_BIN" simulate "$LAPWING_SOURCE/jobs/brunel/brunel.yaml" --out out --set time.duration='1000 s' --stall 2 >stdout 2>log &
pid=$!
until [ -s out/spikes.h5 ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
done
sleep 0.5
victim=$(ps -o pid= --ppid $pid | tail -n 1 | tr -d ' ')
kill -STOP "$victim"
status=0
wait $pid || status=$?
[ "$status" != 0 ] || fail "status 0"
grep -q "no progress" log || fail "no word about the stall"
kill -KILL "$victim" 2>/dev/null || true
finish
