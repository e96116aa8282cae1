#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Is every C file formatted as .clang-format says? tools/check_format.sh [FILE...]; without files, all of the tree.
# Exit status 0: yes, 1: no (the files are printed), 77: no clang-format here. To mend: clang-format -i FILE.
cd "$(dirname "$0")/.." || exit 1
formatter=${CLANG_FORMAT:-clang-format}
command -v "$formatter" >/dev/null 2>&1 || {
    echo "no $formatter here: format not checked"
    exit 77
}
[ $# -gt 0 ] || set -- $(find src include tests jobs -name '*.[ch]' | sort)
report=$("$formatter" --dry-run -Werror "$@" 2>&1) && exit 0
echo "not as .clang-format says:"
echo "$report" | sed -n 's/:[0-9]*:[0-9]*: error:.*//p' | sort -u
exit 1
