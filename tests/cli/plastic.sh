# Plastic synapses from end to end: the same spikes and weights for any ranks, threads and partitions, and when a run is
# cut in two and goes on elsewhere; a user's synapse model beside the experiment.
. "$(dirname "$0")/support.sh"
LAPWING_CACHE=$PWD/cache
export LAPWING_CACHE
cp "$LAPWING_SOURCE/tests/cli/plastic.yaml" .
sed 's/^synapse stdp_nearest /synapse mine /' "$LAPWING_SOURCE/src/model/builtin/stdp_nearest.synapse" >mine.synapse
ranks 1 run plastic.yaml --out whole; expect_status 0 "whole"
expected=$(value whole/summary.json spike_checksum)
for run in "2 block 1" "3 round_robin 2" "4 block 1"; do
    set -- $run
    ranks "$1" run plastic.yaml --out "out$1" --set partition="$2" --set threads="$3"; expect_status 0 "$run"
    equal "$(value "out$1/summary.json" spike_checksum)" "$expected" "checksum on $run"
    h5diff -q --exclude-path /provenance whole/checkpoint.h5 "out$1/checkpoint.h5" /network /network || fail "weights differ on $run"
    h5diff -q whole/checkpoint.h5 "out$1/checkpoint.h5" /state /state || fail "state differs on $run"
    h5diff -q whole/checkpoint.h5 "out$1/checkpoint.h5" /plasticity /plasticity || fail "traces differ on $run"
done
ranks 3 simulate plastic.yaml --out half --set time.duration='283.7 ms'; expect_status 0 "first part"
ranks 2 simulate half/checkpoint.h5 --out half --set time.duration='116.3 ms'; expect_status 0 "second part"
equal "$(value half/summary.json spike_checksum)" "$expected" "checksum of two parts"
for group in /network /state /plasticity; do
    h5diff -q whole/checkpoint.h5 half/checkpoint.h5 $group $group || fail "$group differs after two parts"
done
h5diff -q whole/checkpoint.h5 half/checkpoint.h5 /network/projections/EE/weight /state/E/spike_count && fail "h5diff sees no difference"
ranks 2 lyapunov plastic.yaml --out lyapunov; expect_status 2 "exponents of plastic synapses"
equal "$(grep -c 'has synapse model stdp' log)" 1 "lines that say why"
finish
