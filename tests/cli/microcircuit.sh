# The microcircuit at a tenth of its size: equal spikes and statistics on 1 to 3 ranks, rates near the published ones of the whole. Network D of the brunel job:
# the rate that other simulators give.
. "$(dirname "$0")/support.sh"
for n in 1 2 3; do
    ranks $n simulate "$LAPWING_SOURCE/jobs/microcircuit/microcircuit-0.1.yaml" --out "out$n" --set time.duration='2 s'
    expect_status 0 "microcircuit on $n ranks"
    equal "$(value "out$n/summary.json" spike_checksum)" "$(value out1/summary.json spike_checksum)" "checksum on $n ranks"
    equal "$(value "out$n/summary.json" statistics)" "$(value out1/summary.json statistics)" "statistics on $n ranks"
done
equal "$(value out1/summary.json neurons)" 7717 neurons
equal "$(value out1/summary.json synapses)" 2988807 synapses
ranks 2 simulate "$LAPWING_SOURCE/jobs/brunel/brunel-D.yaml" --out D --set checkpoint.at_end=false
expect_status 0 "network D"
python3 - <<'END' || fail "rates"
import json
low, high = (0.2, 1.3, 2.6, 3.5, 4, 5.5, 0.4, 5), (1.4, 4, 5.5, 7, 11, 10, 1.6, 9)  # halves and doubles where few spikes are
populations = json.load(open("out1/summary.json"))["statistics"]["populations"]
for (name, p), a, b in zip(populations.items(), low, high):
    if not a < p["rate_hz"] < b:
        raise SystemExit(f"{name}: {p['rate_hz']} Hz, expected {a} to {b}")
    if not 0.4 < p["cv_isi"] < 1.1:  # 1.5 s favour neurons with short and equal intervals
        raise SystemExit(f"{name}: CV {p['cv_isi']}")
for name, p in json.load(open("D/summary.json"))["statistics"]["populations"].items():
    if not 43 < p["rate_hz"] < 43.7:
        raise SystemExit(f"network D, {name}: {p['rate_hz']} Hz, expected 43.0 to 43.7")
END
finish
