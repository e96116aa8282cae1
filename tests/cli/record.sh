# Recording: files equal on 1 to 4 ranks and whole, memory that does not grow with the length of the run, statistics equal to those of the file.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/jobs/brunel/brunel.yaml
what='{spikes: [I, {population: E, fraction: 0.25, start: 100 ms, stop: 300 ms}], rates: {populations: [E, I], every: 2 ms},
  traces: [{population: E, variable: V_m, neurons: [0, 3, 1500], every: 1 ms, start: 50 ms}]}'
for n in 1 2 3 4; do
    ranks $n simulate "$job" --out "out$n" --set time.duration='400 ms' --set "record=$what" --set 'statistics={from: 100 ms, sample: 30}'
    expect_status 0 "$n ranks"
    for file in spikes traces rates; do
        h5diff -q --exclude-path /provenance "out1/$file.h5" "out$n/$file.h5" || fail "$file.h5 of $n ranks differs"
    done
    equal "$(value "out$n/summary.json" statistics)" "$(value out1/summary.json statistics)" "statistics on $n ranks"
    [ "$(value "out$n/summary.json" phase_s io)" != 0.0 ] || fail "no time of writing"
done
ranks 1 inspect out2/rates.h5
expect_status 0 "inspect rates.h5"
python3=$(python3 -c 'import h5py' 2>/dev/null && echo python3 || echo /usr/bin/python3)
if $python3 -c 'import h5py, numpy' 2>/dev/null; then
    $python3 - out3 <<'END' || fail "what the files hold"
import json, sys
import h5py, numpy as np
out = sys.argv[1]
stats = json.load(open(out + "/summary.json"))["statistics"]["populations"]
with h5py.File(out + "/spikes.h5") as f, h5py.File(out + "/rates.h5") as rates, h5py.File(out + "/traces.h5") as traces:
    t, i = f["spikes/I/timestamps"][:], f["spikes/I/node_ids"][:].astype(int)
    assert (np.lexsort((i, t)) == np.arange(len(t))).all()
    e = f["spikes/E"]
    assert e["timestamps"][:].min() > 100 and e["timestamps"][:].max() < 300.05
    assert set(np.unique(e["node_ids"][:]) % 4) == {3}
    # rates: counts per 2 ms of all steps, (step + 1) dt is the stamp
    step = np.rint(t / 0.1).astype(int) - 1
    assert (np.bincount(step // 20, minlength=200) == rates["rates/I/spikes"][:]).all()
    assert np.allclose(rates["rates/I/rate"][:], rates["rates/I/spikes"][:] / 400 / 0.002)
    assert rates["rates"].attrs["every_ms"] == 2 and rates["rates"].attrs["start_ms"] == 0
    assert list(traces["report/E/mapping/node_ids"][:]) == [0, 3, 1500] and traces["report/E/data"].shape == (350, 3)
    # statistics from 100 ms on
    step, i = step[step >= 1000] - 1000, i[step >= 1000]
    assert stats["I"]["spikes"] == len(step)
    cv = [np.std(d) / np.mean(d) for d in (np.diff(step[i == k]) for k in range(400)) if len(d) >= 9]
    assert stats["I"]["cv_neurons"] == len(cv) and abs(stats["I"]["cv_isi"] - np.mean(cv)) < 1e-6
    bins = np.bincount(step // 30, minlength=101)[:100]
    assert abs(stats["I"]["synchrony"] - bins.var() / bins.mean()) < 1e-9
    chosen = [k for k in range(400) if (k + 1) * 30 // 400 > k * 30 // 400]
    r = np.corrcoef([np.bincount(step[i == k] // 20, minlength=151)[:150] for k in chosen])
    assert abs(stats["I"]["correlation"] - r[np.tril_indices(30, -1)].mean()) < 1e-9
END
fi
# 2000 neurons at 330 Hz: 10 s yield 100 MB of spikes, kept at a few MB at a time
for seconds in 1 10; do
    ranks 1 simulate "$job" --out "long$seconds" --set time.duration="$seconds s" --set projections=[] --set inputs.0.poisson='80 kHz' --set checkpoint.at_end=false
    expect_status 0 "$seconds s"
done
short=$(value long1/summary.json peak_rss_bytes max)
long=$(value long10/summary.json peak_rss_bytes max)
[ "$(value long10/summary.json spikes)" -gt 5000000 ] || fail "too few spikes to tell"
[ $((long - short)) -lt 8000000 ] || fail "1 s needs $short bytes, 10 s $long"
# stopped by a signal, resumed on other ranks: the two files together hold the spikes of the whole, each once
"$LAPWING_MPIEXEC" -n 2 "$LAPWING_BIN" simulate "$job" --out stopped --set time.duration='10 s' >stdout 2>log &
pid=$!
until [ -s stopped/spikes.h5 ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
done
sleep 0.3
kill -USR1 $pid 2>/dev/null || true
status=0
wait $pid || status=$?
[ "$status" = 0 ] && echo "the run was over before the signal came" >&2
ranks 3 simulate "$job" --out stopped --set time.duration='10 s' --resume
expect_status 0 "resumed"
ranks 1 simulate "$job" --out whole --set time.duration='10 s'
if $python3 -c 'import h5py, numpy' 2>/dev/null; then
    $python3 - <<'END' || fail "spikes of a stopped and resumed run"
import glob
import h5py, numpy as np
parts = sorted(glob.glob("stopped/spikes*.h5"), key=len)
for p in "EI":
    for name in ("timestamps", "node_ids"):
        found = np.concatenate([h5py.File(f)["spikes"][p][name][:] for f in parts])
        assert (found == h5py.File("whole/spikes.h5")["spikes"][p][name][:]).all()
END
fi
finish
