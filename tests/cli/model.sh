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
# derivatives and the C code are shown together
ranks 1 model show mine.model
for part in 'update_adj_coef: adjoint' 'C, as it is compiled' '#include <lapwing/kernel.h>'; do
    grep -q "$part" stdout || fail "show lacks \"$part\""
done
# one compilation in a folder, whether ranks start together from a checkpoint or one after the other from an experiment
cat >cc.sh <<CC
#!/bin/sh
echo compiled >>$PWD/calls
exec $LAPWING_CC "\$@"
CC
chmod +x cc.sh
for run in "3 brunel.yaml --set populations.E.model=mine.model" "4 mine/checkpoint.h5"; do
    rm -rf fresh calls
    set -- $run
    count=$1; shift
    LAPWING_CC_BEFORE=$LAPWING_CC; LAPWING_CC=$PWD/cc.sh; LAPWING_CACHE=$PWD/fresh; export LAPWING_CC
    ranks $count simulate "$@" --out again --set time.duration='1 ms'; expect_status 0 "compiled on $count ranks"
    LAPWING_CC=$LAPWING_CC_BEFORE; LAPWING_CACHE=$PWD/cache
    equal "$(wc -l <calls)" 1 "compilations for $count ranks"
done
# a gradient by kernels made at run time has the bits of the built-in ones
sed 's/^model cuba_lif /model mine_cuba /' "$LAPWING_SOURCE/src/model/builtin/cuba_lif.model" >cuba.model
for model in cuba_lif "$PWD/cuba.model"; do
    ranks 2 gradient "$LAPWING_SOURCE/tests/cli/tiny.yaml" --samples 4 --set train.precision=double --set "populations.rec.model=$model" --out "gradient_$(basename "$model")"
    expect_status 0 "gradient with $model"
done
h5diff gradient_cuba_lif/gradient.h5 gradient_cuba.model/gradient.h5 /gradient || fail "gradients of the built-in and of the user's model differ"
# a compiler that fails: its error on one line, once
printf '#!/bin/sh\necho "x.c: In function f:" >&2\necho "x.c:3:1: error: no room" >&2\necho "  3 | f" >&2\nexit 1\n' >bad.sh
chmod +x bad.sh
LAPWING_CC_BEFORE=$LAPWING_CC; LAPWING_CC=$PWD/bad.sh; export LAPWING_CC
ranks 3 simulate brunel.yaml --out again --set populations.E.model=mine.model; expect_status 1 "a compiler that fails"
LAPWING_CC=$LAPWING_CC_BEFORE
equal "$(grep -c '^lapwing: .*failed on model mine: x.c:3:1: error: no room$' log)" 1 "lines with the compiler's error"
sed 's/V_m - V_th/V_m - V_thx/' mine.model >wrong.model
ranks 2 simulate brunel.yaml --set populations.E.model=wrong.model; expect_status 2 "wrong user's model"
equal "$(grep -c 'wrong.model:[0-9]' log)" 1 "lines that name the place in the model"
finish
