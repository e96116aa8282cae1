/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dataset_yin_yang.h: the regions and points behind lw_dataset_yin_yang, for the tests.
 */
#ifndef LAPWING_IO_DATASET_YIN_YANG_H
#define LAPWING_IO_DATASET_YIN_YANG_H

#include <lapwing/io.h>

/** 0 yang, 1 yin, 2 dot, as the published set numbers them; -1 outside of the disc. */
int yin_yang_class(double x, double y);
/** Sample i of a seed: its class, and (x, y, 1 - x, 1 - y). */
int yin_yang_point(uint64_t seed, int64_t i, double value[4]);

#endif
