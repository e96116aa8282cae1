# lapwing model: what is emitted compiles alone; what is wrong is told with line and column.
. "$(dirname "$0")/support.sh"
for file in "$LAPWING_SOURCE"/src/model/builtin/*.model; do
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
finish
