# SPDX-License-Identifier: BSD-3-Clause
#
# sh layers.sh ROOT: the floors keep their order, and the check sees each kind of violation when one is planted.
root=$1
check() { (cd "$1" && awk -f "$root/tools/check_layers.awk" src/LAYERS $(find src include -name '*.[ch]' | sort)); }
check "$root" || exit 1

planted=$(mktemp -d) || exit 1
trap 'rm -rf "$planted"' EXIT
bad=0
# plant FILE LINE EXPECTED: a tree with that one file; the report holds EXPECTED, or the check passes when that is empty
plant() {
    rm -rf "$planted/src" "$planted/include"
    mkdir -p "$planted/src/comm" "$planted/src/model" "$planted/src/sim/deep" "$planted/include/lapwing"
    cp "$root/src/LAYERS" "$planted/src"
    : >"$planted/src/sim/own.h"
    : >"$planted/src/comm/other.h"
    echo "$2" >"$planted/$1"
    report=$(check "$planted")
    status=$?
    case "$3:$status" in
    :0) return ;;
    :*) echo "$1 with '$2' was refused: $report" ;;
    *:0) echo "$1 with '$2' was not seen" ;;
    *) case "$report" in *"$3"*) return ;; *) echo "$1 with '$2': '$report' does not say '$3'" ;; esac ;;
    esac
    bad=1
}
plant src/sim/a.c '#include <lapwing/net.h>' ''
plant src/sim/a.c '#include <lapwing/sim.h>' ''
plant src/sim/a.c '#include "own.h"' ''
plant src/sim/deep/a.c '#include "own.h"' ''
plant src/sim/a.c '#include <stdio.h>' ''
plant src/comm/a.c '#include <mpi.h>' ''
plant include/lapwing/sim.h '#include <lapwing/kernel.h>' ''
plant src/sim/a.c '#include <lapwing/train.h>' 'a floor above'
plant src/model/a.c '  #  include <lapwing/comm.h>' 'sibling'
plant src/comm/a.c '#include <lapwing/kernel.h>' 'sibling'
plant src/sim/a.c '#include "other.h"' 'not in src/sim'
plant src/sim/a.c '#include "../comm/other.h"' 'leaves the room'
plant src/sim/a.c '#include <lapwing/nothing.h>' "no floor's door"
plant src/sim/a.c '#include <mpi.h>' 'mpi.h'
plant include/lapwing/net.h '#include <lapwing/io.h>' 'a floor above'
plant include/lapwing/net.h '#include "own.h"' 'doors include doors only'
plant include/lapwing/planted.h '#include <stdio.h>' 'no floor'
exit $bad
