# SPDX-License-Identifier: BSD-3-Clause
#
# sh headers.sh ROOT: every door compiles alone, and twice, as strict C11 without any library's headers.
root=$1
compile() {
    "${CC:-cc}" -std=c11 -Wall -Wextra -Werror -pedantic -fsyntax-only -I"$2" -x c - <<END
#include <lapwing/$1>
#include <lapwing/$1>
int main(void) { return 0; }
END
}
bad=0
for door in "$root"/include/lapwing/*.h; do
    compile "$(basename "$door")" "$root/include" || {
        echo "$door does not compile alone"
        bad=1
    }
done
planted=$(mktemp -d) || exit 1
trap 'rm -rf "$planted"' EXIT
mkdir "$planted/lapwing"
echo 'static inline size_t planted(void) { return 0; }' >"$planted/lapwing/planted.h"
if compile planted.h "$planted" 2>/dev/null; then
    echo "a door that leans on another header was not seen"
    bad=1
fi
exit $bad
