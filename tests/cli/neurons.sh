# Models of the literature under all kinds of input: the same spikes on 1, 2, 3 and 4 ranks, for every partition and any number of threads.
. "$(dirname "$0")/support.sh"
expected=
for run in "1 block 1" "1 block 2" "2 block 1" "3 round_robin 1" "4 block 1" "2 round_robin 2"; do
    set -- $run
    ranks "$1" run "$LAPWING_SOURCE/tests/cli/neurons.yaml" --out "out$1$2$3" --set partition="$2" --set threads="$3"
    expect_status 0 "$run"
    found=$(value "out$1$2$3/summary.json" spike_checksum)
    [ -n "$expected" ] || expected=$found
    equal "$found" "$expected" "checksum on $run"
done
spikes=$(value out1block1/summary.json spikes)
[ "$spikes" -gt 1000 ] || fail "only $spikes spikes"
finish
