# The jobs of the project, and plastic synapses: one spike checksum each on 1, 2, 3, 4 and 7 ranks with one and two threads.
. "$(dirname "$0")/support.sh"
LAPWING_CACHE=$PWD/cache
export LAPWING_CACHE
cp "$LAPWING_SOURCE/tests/cli/plastic.yaml" .
sed 's/^synapse stdp_nearest /synapse mine /' "$LAPWING_SOURCE/src/model/builtin/stdp_nearest.synapse" >mine.synapse
# job FILE DURATION SPIKES: at least so many spikes
job() {
    expected=
    for run in "1 1" "2 1" "3 1" "4 1" "7 1" "1 2" "2 2" "3 2" "4 2" "7 2"; do
        set -- "$1" "$2" "$3" $run
        ranks "$4" simulate "$1" --out out --set time.duration="$2" --set threads="$5" --set checkpoint.at_end=false
        expect_status 0 "$1 on $4 ranks, $5 threads"
        found=$(value out/summary.json spike_checksum)
        [ -n "$expected" ] || expected=$found
        equal "$found" "$expected" "checksum of $1 on $4 ranks, $5 threads"
    done
    [ "$(value out/summary.json spikes)" -ge "$3" ] || fail "$1: only $(value out/summary.json spikes) spikes"
}
job "$LAPWING_SOURCE/jobs/brunel/brunel.yaml" '100 ms' 5000
job "$LAPWING_SOURCE/jobs/microcircuit/microcircuit-0.1.yaml" '40 ms' 500
job "$LAPWING_SOURCE/jobs/spatial/spatial.yaml" '20 ms' 5000
job plastic.yaml '100 ms' 300
finish
