# Bad input gives one line on one rank and status 2, on any number of ranks.
. "$(dirname "$0")/support.sh"
cp "$LAPWING_SOURCE/jobs/brunel/brunel.yaml" .
one_line() { # text: exactly one line of the log comes from the program, and it contains the text
    found=$(grep -c '^lapwing: ' log || true)
    equal "$found" 1 "lines for \"$1\""
    grep -q "^lapwing: .*$1" log || { fail "no \"$1\" in the message"; cat log >&2; }
}
for n in 1 3; do
    ranks $n fly x.yaml; expect_status 2 "unknown command"; one_line 'found the command "fly"'
    ranks $n run missing.yaml; expect_status 2 "missing file"; one_line 'missing.yaml'
    ranks $n run brunel.yaml --set populations.E.size=many; expect_status 2 "wrong size"; one_line 'populations.E.size: found "many"'
    ranks $n run brunel.yaml --set populations.E.sise=3; expect_status 2 "unknown key"; one_line 'did you mean "size"'
    ranks $n run brunel.yaml --set populations.E.params.tau_m='20 mV'; expect_status 2 "wrong unit"; one_line 'tau_m'
    ranks $n run brunel.yaml --set 'projections.0.rule=fixed_indegree(9999999)' --set projections.0.multapses=false; expect_status 2 "impossible degree"; one_line '1600'
    ranks $n run brunel.yaml --frobnicate; expect_status 2 "unknown option"; one_line 'frobnicate'
    ranks $n run brunel.yaml --replicas 7; expect_status 2 "replicas that do not divide"; one_line '7'
    head -c 3000 /dev/urandom >noise.h5
    ranks $n inspect noise.h5; expect_status 2 "not HDF5"; one_line 'noise.h5'
    ranks $n simulate noise.h5; expect_status 2 "not a checkpoint"; one_line 'noise.h5'
    ranks $n run brunel.yaml --out /proc/nowhere/out
    [ "$status" != 0 ] || fail "an output folder that cannot be made gave status 0"
done
ranks 1 --help; expect_status 0 help; grep -q gradcheck stdout || fail "help does not list gradcheck"
ranks 1 --version; expect_status 0 version
finish
