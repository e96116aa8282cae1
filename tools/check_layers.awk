# SPDX-License-Identifier: BSD-3-Clause
#
# The order of floors: awk -f tools/check_layers.awk src/LAYERS FILE... (from the root; files below src/ and include/)
# A floor's files include only their own room, their own door and the doors of floors on lower lines of src/LAYERS; floors of
# one line are siblings and never include each other. mpi.h is for the floors that hand the raw communicator to a library.
# Prints one line per violation; exit status 1 when there was any.

BEGIN {
    door_floor["kernel"] = "model"   # the ABI of generated code belongs to the model floor
    split("comm net lyap io", list)  # HDF5, BLACS and PT-Scotch want the handle
    for (i in list) mpi_floor[list[i]] = 1
}

FILENAME == ARGV[1] {
    for (i = 1; i <= NF; i++) level[$i] = FNR
    next
}

FNR == 1 {
    parts = split(FILENAME, part, "/")
    dir = FILENAME
    sub(/[^\/]*$/, "", dir)
    if (FILENAME ~ /^include\/lapwing\//) {
        floor = part[parts]
        sub(/\.h$/, "", floor)
        if (floor in door_floor) floor = door_floor[floor]
    } else {
        floor = part[2]
    }
    umbrella = FILENAME == "include/lapwing/lapwing.h"
    if (!umbrella && !(floor in level)) complain(floor " is no floor of " ARGV[1], 0)
}

umbrella { next }

function complain(what, line) {
    print FILENAME ":" (line ? line : 1) ": " what
    bad = 1
}

function exists(path,    text) {
    if ((getline text < path) < 0) return 0
    close(path)
    return 1
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    name = $0
    sub(/^[^<]*</, "", name)
    sub(/>.*$/, "", name)
    if (name == "mpi.h" && !(floor in mpi_floor)) complain(floor " includes mpi.h; comm's functions are the way to MPI", FNR)
    if (name !~ /^lapwing\//) next
    door = name
    sub(/^lapwing\//, "", door)
    sub(/\.h$/, "", door)
    if (door in door_floor) door = door_floor[door]
    if (!(door in level)) complain(floor " includes <" name ">, which is no floor's door", FNR)
    else if (door != floor && level[door] == level[floor]) complain(floor " includes its sibling " door, FNR)
    else if (level[door] > level[floor]) complain(floor " includes " door ", a floor above", FNR)
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    name = $0
    sub(/^[^"]*"/, "", name)
    sub(/".*$/, "", name)
    if (name ~ /\.\./) complain("\"" name "\" leaves the room", FNR)
    else if (FILENAME ~ /^include\//) complain("a door includes \"" name "\"; doors include doors only", FNR)
    else if (!exists(dir name) && !exists("src/" floor "/" name)) complain("\"" name "\" is not in src/" floor, FNR)
}

END { exit bad }
