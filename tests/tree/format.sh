# SPDX-License-Identifier: BSD-3-Clause
#
# sh format.sh ROOT: the tree is formatted, and the check sees a file that is not.
root=$1
sh "$root/tools/check_format.sh" || exit $?
planted=$(mktemp -d) || exit 1
trap 'rm -rf "$planted"' EXIT
cp "$root/.clang-format" "$planted"
printf 'int  main ( void ) {return 0 ;}\n' >"$planted/planted.c"
if sh "$root/tools/check_format.sh" "$planted/planted.c" >"$planted/report"; then
    echo "a badly formatted file was not seen"
    exit 1
fi
grep -q 'planted.c$' "$planted/report" || { cat "$planted/report"; exit 1; }
