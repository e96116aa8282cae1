# A 2000-neuron Brunel network with delays: the same spikes on 1, 2, 3, 4 and 7 ranks, for every partition and any number of threads.
. "$(dirname "$0")/support.sh"
expected=
for run in "1 block 1" "1 block 2" "2 block 1" "3 block 2" "4 round_robin 1" "7 block 1" "3 scotch 1" "2 scotch 2"; do
    set -- $run
    ranks "$1" run "$LAPWING_SOURCE/jobs/brunel/brunel.yaml" --out "out$1$2" --set time.duration='150 ms' --set partition="$2" --set threads="$3" --json
    expect_status 0 "$run"
    equal "$(value "out$1$2/summary.json" threads)" "$3" "threads of $run"
    found=$(value "out$1$2/summary.json" spike_checksum)
    equal "$(python3 -c 'import json; print(json.load(open("stdout"))["spike_checksum"])')" "$found" "--json"
    [ -n "$expected" ] || expected=$found
    equal "$found" "$expected" "checksum on $run"
done
spikes=$(value out1block/summary.json spikes)
[ "$spikes" -gt 1000 ] || fail "only $spikes spikes"
equal "$(value out1block/summary.json neurons)" 2000 neurons
equal "$(value out1block/summary.json synapses)" 400000 synapses
finish
