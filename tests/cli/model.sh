# lapwing model: what is emitted compiles alone; what is wrong is told with line and column.
. "$(dirname "$0")/support.sh"
for file in "$LAPWING_SOURCE"/src/model/builtin/*.model "$LAPWING_SOURCE"/src/model/builtin/*.synapse; do
    ranks 1 model check "$file"; expect_status 0 "check $file"
    ranks 1 model show "$file"; expect_status 0 "show $file"; [ -s stdout ] || fail "show prints nothing"
    ranks 1 model emit "$file"; expect_status 0 "emit $file"
    cp stdout emitted.c
    "$LAPWING_CC" -std=c11 -Wall -Wextra -Wno-unused-parameter -Werror -I"$LAPWING_SOURCE/include" -c emitted.c -o emitted.o || fail "$file: emitted code does not compile"
done
printf 'model broken "x"\n  state v = 0\n  update v = v + w\n  output v\n' >broken.model
ranks 1 model check broken.model; expect_status 2 "unknown name"
grep -q 'broken.model:3:' log || { fail "no line number"; cat log >&2; }
ranks 1 model fly broken.model; expect_status 2 "unknown action"
# a user's model, compiled at run time: the same text as a built-in one gives the same spikes, also from a checkpoint
LAPWING_CACHE=$PWD/cache
export LAPWING_CACHE
sed 's/^model lif_delta /model mine /' "$LAPWING_SOURCE/src/model/builtin/lif_delta.model" >mine.model
cp "$LAPWING_SOURCE/jobs/brunel/brunel.yaml" .
ranks 2 simulate brunel.yaml --out builtin --set time.duration='100 ms'; expect_status 0 "built-in model"
ranks 2 simulate brunel.yaml --out mine --set time.duration='50 ms' --set populations.E.model=mine.model; expect_status 0 "user's model"
ranks 3 simulate mine/checkpoint.h5 --out mine --set time.duration='50 ms'; expect_status 0 "user's model from a checkpoint"
equal "$(value mine/summary.json spike_checksum)" "$(value builtin/summary.json spike_checksum)" "checksum of the user's model"
sed 's/V_m - V_th/V_m - V_thx/' mine.model >wrong.model
ranks 2 simulate brunel.yaml --set populations.E.model=wrong.model; expect_status 2 "wrong user's model"
equal "$(grep -c 'wrong.model:[0-9]' log)" 1 "lines that name the place in the model"
finish
