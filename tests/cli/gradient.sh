# One batch and its gradient: a whole file on any grid with the same content but rounding, and one line for bad input.
. "$(dirname "$0")/support.sh"
job=$LAPWING_SOURCE/tests/cli/tiny.yaml
export HDF5_USE_FILE_LOCKING=FALSE
for run in "1 1" "2 1" "3 1" "2 2" "4 2"; do
    set -- $run
    ranks "$1" gradient "$job" --out "out$1$2" --replicas "$2" --samples 5 --set train.precision=double
    expect_status 0 "$1 ranks, $2 replicas"
    equal "$(value out$1$2/summary.json gradient samples)" 5 "samples on $1 ranks"
    ranks 1 inspect out$1$2/gradient.h5
    expect_status 0 "the file of $1 ranks is whole"
    h5diff out11/gradient.h5 out$1$2/gradient.h5 /network /network || fail "the network on $1 ranks differs"
    for array in input label output spikes; do
        h5diff out11/gradient.h5 out$1$2/gradient.h5 /batch/$array || fail "$array on $1 ranks differs"
    done
    h5diff -p 1e-9 out11/gradient.h5 out$1$2/gradient.h5 /gradient >diff || { fail "the gradient on $1 ranks differs"; cat diff >&2; }
done
ranks 2 train "$job" --out trained --set train.epochs=1 --set train.precision=double
expect_status 0 training
for n in 1 3; do
    ranks $n gradient trained/checkpoint.h5 --out "after$n" --samples 5
    expect_status 0 "from a checkpoint on $n ranks"
    h5diff trained/checkpoint.h5 after$n/gradient.h5 /network /network || fail "the network of the checkpoint on $n ranks differs"
done
h5diff -p 1e-9 after1/gradient.h5 after3/gradient.h5 /gradient || fail "gradients of the checkpoint differ"
for n in 1 3; do
    ranks $n gradient "$job" --out bad --samples 100000; expect_status 2 "too many samples"
    equal "$(grep -c '^lapwing: .*100000 samples asked, allowed are 1 to' log)" 1 "lines for too many samples"
    ranks $n gradient "$job" --out bad --samples none; expect_status 2 "no number"
    equal "$(grep -c '^lapwing: --samples: found "none"' log)" 1 "lines for no number"
done
ranks 2 gradient "$job" --out tangents --samples 5 --set train.precision=double --method forward
expect_status 0 "by tangents"
h5diff -p 1e-9 out11/gradient.h5 tangents/gradient.h5 /gradient >diff || { fail "the gradient by tangents differs"; cat diff >&2; }
ranks 1 gradient "$job" --out bad --method rtrl; expect_status 2 "no method"
equal "$(grep -c '^lapwing: .*found the gradient method "rtrl", allowed: bptt, eprop, forward' log)" 1 "lines for no method"
ranks 1 gradient "$job" --out bad --set projections.0.learn=false --set projections.1.learn=false --set projections.2.learn=false \
    --set 'populations.rec.learn=[]' --set 'populations.out.learn=[]'
expect_status 2 "nothing to learn"
equal "$(grep -c '^lapwing: .*nothing is to be learned' log)" 1 "lines for nothing to learn"
finish
