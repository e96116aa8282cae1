#!/bin/sh
# Checkpoints on a file system of 12 MB of their own: full, read-only, and with writers killed at random moments.
# disk.sh <test_io_checkpoint_disk> <mpiexec>; 77 where no private mount can be made.
test=$1
mpiexec=$2
if [ "$3" != inside ]; then
  unshare -m true 2>/dev/null || exit 77
  exec unshare -m sh "$0" "$test" "$mpiexec" inside
fi
LW_TEST_DISK=$(mktemp -d) || exit 77
export LW_TEST_DISK LW_TEST_PART
mount -t tmpfs -o size=12m tmpfs "$LW_TEST_DISK" 2>/dev/null || { rmdir "$LW_TEST_DISK"; exit 77; }
trap 'umount "$LW_TEST_DISK"; rmdir "$LW_TEST_DISK"' EXIT

for n in 1 3; do
  rm -rf "$LW_TEST_DISK"/*
  LW_TEST_PART=full
  timeout 60 "$mpiexec" -n $n "$test" || exit 1
  mount -o remount,ro "$LW_TEST_DISK" || exit 1
  LW_TEST_PART=read_only
  timeout 60 "$mpiexec" -n $n "$test" || exit 1
  mount -o remount,rw "$LW_TEST_DISK" || exit 1
  for pause in 0.02 0.05 0.09 0.14 0.2 0.27; do
    LW_TEST_PART=forever
    rm -f "$LW_TEST_DISK/begun"
    "$mpiexec" -n $n "$test" >/dev/null 2>&1 &
    writer=$!
    for i in $(seq 200); do
      [ -e "$LW_TEST_DISK/begun" ] && break
      sleep 0.05
    done
    [ -e "$LW_TEST_DISK/begun" ] || exit 1
    sleep $pause
    # the first rank dies in the middle of its work; mpiexec then ends the others
    rank=$(ps -o pid= --ppid $writer | head -n 1)
    kill -KILL "${rank:-$writer}"
    wait $writer
    ls "$LW_TEST_DISK/c"
    LW_TEST_PART=look
    timeout 60 "$mpiexec" -n 2 "$test" || exit 1
  done
done
