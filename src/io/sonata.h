/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sonata.h: what the two SONATA reports share.
 */
#ifndef LAPWING_IO_SONATA_H
#define LAPWING_IO_SONATA_H

#include "h5.h"

/** Root attributes `magic` and `version`. **Collective**. */
lw_err lw_sonata_head(lw_h5_writer *w) LW_MUST_CHECK;

#endif
