# A 2000-neuron Brunel network with delays: the same spikes on 1, 2, 3, 4 and 7 ranks and for every partition.
. "$(dirname "$0")/support.sh"
expected=
for run in "1 block" "2 block" "3 block" "4 round_robin" "7 block" "3 scotch"; do
    set -- $run
    ranks "$1" run "$LAPWING_SOURCE/jobs/brunel/brunel.yaml" --out "out$1$2" --set time.duration='150 ms' --set partition="$2" --json
    expect_status 0 "$run"
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
