/* SPDX-License-Identifier: BSD-3-Clause
 *
 * main.c: the program lapwing. Starts MPI, hands over to the command, returns its exit status.
 */
#include "cmd.h"

#include <malloc.h>
#include <stdio.h>

/* glibc keeps freed blocks for itself up to a size that grows with them, so that what building and saving held for a
 * moment would stay; with a fixed size it goes back. */
enum { RETURNED_BYTES = 256 << 10 };

int main(int argc, char **argv) {
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES);
#endif
    lw_comm *world = NULL;
    if (lw_comm_start(&argc, &argv, &world) != LW_OK) {
        fprintf(stderr, "lapwing: %s\n", lw_err_message());
        return 1;
    }
    int status = cmd_main(world, argc, argv);
    lw_comm_stop(&world);
    return status;
}
