# lapwing plan against real runs on 1, 2 and 4 ranks: memory within a tenth, halo, synapses and traffic; a dry run of each rank of two
# against both together; 100 000 ranks in less than a second.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/jobs/brunel/brunel.yaml
ranks 2 plan "$job" --calibrate --machine machine.json --quiet
expect_status 0 calibration
[ "$(value machine.json messages_measured)" = True ] || fail "messages between two ranks were not measured"
for n in 1 2 4; do
    ranks "$n" simulate "$job" --out "real$n" --set time.duration='150 ms' --quiet
    expect_status 0 "simulation on $n"
done
ranks 1 plan "$job" --machine machine.json --rates real1/summary.json --ranks 1,2,4 --out plan --json --quiet
expect_status 0 plan
python3 - <<'E' || fail "the plan differs from the runs"
import json, sys
bad = 0
def check(what, found, expected, tolerance):
    global bad
    if not abs(found - expected) <= tolerance * abs(expected) + 1e-9:
        print(f"{what}: found {found}, measured {expected}", file=sys.stderr)
        bad = 1
plan = json.load(open("plan/plan.json"))
if json.load(open("stdout")) != plan:
    bad = print("--json differs from plan.json") or 1
for p in plan["plans"]:
    n = p["ranks"]
    run = json.load(open(f"real{n}/summary.json"))
    exchanges = run["exchange"]["number"] / n if "exchange" in run else 100
    mean = p["mean_rank"]
    check(f"memory of {n}", p["peak_rss_bytes"]["sum"], run["peak_rss_bytes"]["sum"], 0.1)
    check(f"synapses of {n}", p["synapses"]["mean"], run["synapses"], 0)
    check(f"halo of {n}", p["halo_slots"]["mean"], run["halo_slots"], 4 * p["halo_slots"]["error"] / max(run["halo_slots"], 1) + 1e-9)
    check(f"bytes of synapses of {n}", mean["bytes_synapses"] * n, run["bytes_per_synapse"] * run["synapses"], 0.01)
    check(f"bytes of neurons of {n}", mean["bytes_neurons"] * n, run["bytes_per_neuron"] * run["neurons"], 0.01)
    check(f"messages of {n}", mean["messages_per_exchange"] * n * 100, run["messages_sent"], 0.03)
    check(f"bytes sent by {n}", mean["bytes_per_exchange"] * n * 100, run["bytes_sent"], 0.05)
sys.exit(bad)
E
for r in 0 1; do
    ranks 1 plan "$job" --machine machine.json --dry-run $r --of 2 --steps 200 --rates real2/summary.json --out "dry$r" --quiet
    expect_status 0 "dry run of rank $r"
done
python3 - <<'E' || fail "the dry runs differ from the run on two ranks"
import json, sys
run = json.load(open("real2/summary.json"))
dry = [json.load(open(f"dry{r}/dry-run.json"))["trials"][0] for r in (0, 1)]
total = lambda key: sum(d[key] for d in dry)
found = (total("neurons"), total("synapses"), total("halo_slots"), total("bytes_synapses"))
expected = (run["neurons"], run["synapses"], run["halo_slots"], round(run["bytes_per_synapse"] * run["synapses"]))
if found != expected:
    print(f"found {found}, expected {expected}", file=sys.stderr)
sys.exit(found != expected or not all(d["spikes"] > 0 and d["synaptic_events"] > 0 for d in dry))
E
python3 - <<E || fail "100000 ranks took too long"
import resource, subprocess, sys
subprocess.run(["$LAPWING_BIN", "plan", "$job", "--machine", "machine.json", "--ranks", "100000", "--weak", "--out", "many"], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
sys.exit(used.ru_utime + used.ru_stime > 1)
E

# wrong NAME EXPECTED ARGUMENTS...
wrong() {
    name=$1 expected=$2
    shift 2
    ranks 2 plan "$job" --machine machine.json "$@"
    expect_status 2 "$name"
    grep -q -e "$expected" log || { fail "$name: the message is not as expected"; cat log >&2; }
}
wrong "no ranks" '--ranks: found "0", allowed: up to 64 numbers of ranks' --ranks 0
wrong "half a list" '--ranks: found "1,x"' --ranks 1,x
wrong "no size" '--dry-run: found no --of' --dry-run 1
wrong "rank too large" '--dry-run: found rank 4 of 4, allowed: 0 to 3' --dry-run 4 --of 8,4 --steps 1
wrong "unknown population" '--rates: found the population "X"' --rates X=4
wrong "no rate" '--rates: found "abc", allowed: a rate in Hz' --rates abc
wrong "no such summary" 'nowhere.json' --rates nowhere.json
wrong "scotch" 'allowed for one rank of many: block, round_robin' --dry-run 0 --of 2 --set partition=scotch
echo '{"format": 7}' >old.json
wrong "another format" 'old.json: found format 7, allowed: 1' --machine old.json
ranks 1 plan "$job" --machine none.json --ranks 8 --out none
expect_status 0 "no calibration"
grep -q 'no calibration in none.json' log || fail "a missing calibration was not told"
finish
