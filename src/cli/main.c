/* SPDX-License-Identifier: BSD-3-Clause
 *
 * main.c: the program lapwing. Starts MPI, hands over to the command, returns its exit status.
 */
#include "cmd.h"

#include <stdio.h>

int main(int argc, char **argv) {
    lw_comm *world = NULL;
    if (lw_comm_start(&argc, &argv, &world) != LW_OK) {
        fprintf(stderr, "lapwing: %s\n", lw_err_message());
        return 1;
    }
    int status = cmd_main(world, argc, argv);
    lw_comm_stop(&world);
    return status;
}
