# cmake --install gives a program that runs and a library that a stranger's program can link through pkg-config.
. "$(dirname "$0")/support.sh"
cmake --install "$LAPWING_BUILD" --prefix "$PWD/prefix" >log 2>&1 || { fail install; cat log >&2; finish; }
prefix/bin/lapwing --version >version || fail "installed program"
cat >user.c <<'C'
#include <lapwing/prune.h>
#include <stdio.h>
int main(void) {
    const lw_model *m = lw_model_builtin("lif");
    printf("%s %d\n", m ? m->name : "none", m ? m->n_state : 0);
    return m ? 0 : 1;
}
C
PKG_CONFIG_PATH=$(dirname "$(find "$PWD/prefix" -name lapwing.pc)")
export PKG_CONFIG_PATH
"$LAPWING_CC" -std=c11 user.c -o user $(pkg-config --cflags --libs lapwing) || fail "linking through pkg-config"
./user | grep -q '^lif 3' || fail "user program"
finish
