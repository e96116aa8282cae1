/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Wall-clock time for timings and rates. Simulated time is an integer step elsewhere and never read from a clock.
 */
#include <time.h>
#include <lapwing/base.h>

double lw_time_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
