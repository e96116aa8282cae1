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
    h5diff -q --exclude-attribute /complete whole/weights.h5 "out$1/weights.h5" /weights /weights || fail "recorded weights differ on $run"
    h5diff -q whole/checkpoint.h5 "out$1/checkpoint.h5" /plasticity /plasticity || fail "traces differ on $run"
done
# the last sample is what the checkpoint holds, the first one what was drawn
python3=$(python3 -c 'import h5py' 2>/dev/null && echo python3 || echo /usr/bin/python3)
$python3 -c 'import h5py, numpy' 2>/dev/null || python3=:
$python3 - <<'END' || fail "recorded weights"
import h5py, numpy
saved, record = h5py.File("whole/checkpoint.h5"), h5py.File("whole/weights.h5")
for name, targets, samples in ("EE", [3, 4, 90], 9), ("axonal", range(40), 14):
    a, b = saved["network/projections"][name], record["weights"][name]
    chosen = numpy.isin(a["target"][:], list(targets))
    for column in "target", "source":
        assert (a[column][:][chosen] == b[column][:]).all()
    assert b["weight"].shape == (samples, chosen.sum()) and b["time"][0] == 0
    if name == "EE":
        assert (a["weight"][:][chosen] == b["weight"][-1]).all() and (b["weight"][0] <= 1).all()
        assert numpy.abs(b["weight"][-1] - b["weight"][0]).max() > 0.01
    else:
        assert (b["weight"][0] == 0.2).all()
END
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
