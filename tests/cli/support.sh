# Sourced by the scripts of this folder: a clean folder, short words for running, and checks that say what was found and expected.
set -eu
name=$(basename "$0" .sh)
rm -rf "$name"
mkdir "$name"
cd "$name"
failed=0
fail() {
    echo "check failed: $*" >&2
    failed=1
}
# ranks N arguments...: the program on N ranks; output in log, status in $status
ranks() {
    n=$1
    shift
    status=0
    "$LAPWING_MPIEXEC" -n "$n" "$LAPWING_BIN" "$@" >stdout 2>log || status=$?
}
# value FILE KEY...: an entry of a JSON file
value() {
    python3 -c 'import json,sys
x = json.load(open(sys.argv[1]))
for k in sys.argv[2:]: x = x[int(k)] if isinstance(x, list) else x[k]
print(x)' "$@"
}
equal() { [ "$1" = "$2" ] || fail "$3: found $1, expected $2"; }
expect_status() { [ "$status" = "$1" ] || { fail "$2: status $status, expected $1"; sed 's/^/    /' log >&2; }; }
finish() { exit $failed; }
