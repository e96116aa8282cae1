/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The world of a test: started and stopped by every test, or one for the whole process.
 */
#ifndef LAPWING_TEST_WORLD_H
#define LAPWING_TEST_WORLD_H

#include <lapwing/comm.h>
#include "check.h"

/* The caller ends it with lw_comm_stop. */
static inline lw_comm *world_start(void) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    return world;
}

/* Made once, never stopped. */
static inline lw_comm *world_kept(void) {
    static lw_comm *world;
    if (!world) world = world_start();
    return world;
}

#endif
