# Trained weights have the same bits on any number of replicas and threads where the experiment asks for it, and others where it does not.
. "$(dirname "$0")/support.sh"
job=$(dirname "$0")/tiny.yaml
train() { ranks "$1" train "$job" --out "$2" --replicas 0 --set threads="$3" --set train.reproducible="$4"; expect_status 0 "$2"; }
train 1 one 1 2
for run in "2 1" "4 1" "1 2" "2 2"; do
    set -- $run
    train "$1" "out$1$2" "$2" 2
    h5diff -q one/checkpoint.h5 "out$1$2/checkpoint.h5" /network /network || fail "weights of $1 replicas, $2 threads differ"
    equal "$(value "out$1$2/summary.json" loss)" "$(value one/summary.json loss)" "loss of $1 replicas, $2 threads"
done
# dropout is drawn by sample, source and epoch
drop() { ranks "$1" train "$job" --out "$2" --replicas 0 --set threads="$3" --set train.reproducible=2 --set projections.1.dropout=0.3; expect_status 0 "$2"; }
drop 1 drop1 1
drop 2 drop2 2
h5diff -q drop1/checkpoint.h5 drop2/checkpoint.h5 /network /network || fail "weights of 2 replicas with dropout differ"
! h5diff -q drop1/checkpoint.h5 one/checkpoint.h5 /network /network || fail "dropout changes nothing"
train 1 plain1 1 false
train 2 plain2 1 false
! h5diff -q plain1/checkpoint.h5 plain2/checkpoint.h5 /network /network || fail "without it the weights should differ, or this says nothing"
train 1 yes 1 true # pieces of 8: the whole batch
ranks 2 train "$job" --out bad --replicas 0 --set train.reproducible=true; expect_status 2 "one piece for two replicas"
equal "$(grep -c 'batch is 8, allowed are multiples of 16' log)" 1 "lines for one piece"
ranks 1 train "$job" --out bad --set train.reproducible=3; expect_status 2 "no divisor"
equal "$(grep -c 'train.reproducible: found "3"' log)" 1 "lines for no divisor"
finish
