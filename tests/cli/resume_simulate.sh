# A simulation stopped by a signal and resumed on other rank counts ends in the same state as an uninterrupted one.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/jobs/brunel/brunel.yaml
ranks 2 simulate "$job" --out whole --set time.duration='20 s'
expect_status 0 "uninterrupted"
for signal in USR1 USR2; do
    "$LAPWING_MPIEXEC" -n 2 "$LAPWING_BIN" simulate "$job" --out "$signal" --set time.duration='20 s' >stdout 2>log &
    pid=$!
    until [ -s "$signal/spikes.h5" ]; do
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    sleep 0.1
    kill -"$signal" $pid 2>/dev/null || true
    status=0
    wait $pid || status=$?
    if [ "$status" = 0 ]; then
        echo "the run was over before the signal came" >&2
    else
        expect_status 3 "stopped by $signal"
        [ -e "$signal/checkpoint.h5" ] || fail "no checkpoint after $signal"
    fi
    n=$([ $signal = USR1 ] && echo 3 || echo 1)
    ranks "$n" simulate "$job" --out "$signal" --set time.duration='20 s' --set threads=$((4 - n)) --resume
    expect_status 0 "resumed on $n ranks"
    equal "$(value $signal/summary.json spike_checksum)" "$(value whole/summary.json spike_checksum)" "checksum after $signal"
    h5diff -q --exclude-path /provenance whole/checkpoint.h5 "$signal/checkpoint.h5" /state /state || fail "state differs after $signal"
done
# a finished simulation goes on
ranks 2 simulate "$job" --out half --set time.duration='10 s'
ranks 4 simulate half/checkpoint.h5 --out half
expect_status 0 "continued"
equal "$(value half/summary.json spike_checksum)" "$(value whole/summary.json spike_checksum)" "checksum of two halves"
finish
