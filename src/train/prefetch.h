/* SPDX-License-Identifier: BSD-3-Clause
 *
 * prefetch.h: the next batch is read while the present one is being trained on. A thread of its own calls the source
 * between prefetch_begin and prefetch_wait, and nobody else may in that time; so nothing in a source has to know.
 */
#ifndef LAPWING_TRAIN_PREFETCH_H
#define LAPWING_TRAIN_PREFETCH_H

#include "pass.h"

/** A second batch for every piece of the n passes of a team, and the thread. **Local**. */
lw_err prefetch_create(pass *const *team, int n, struct prefetch **out) LW_MUST_CHECK;
/** Waits for what is being read. */
void prefetch_destroy(struct prefetch **f);
/** Where the samples [pieces * width] of pass i are put before prefetch_begin. Not while something is being read. */
int64_t *prefetch_sample(struct prefetch *f, int i);
void prefetch_begin(struct prefetch *f);
/** Until all is read; returns at once when nothing is. */
void prefetch_wait(struct prefetch *f);
/** If what was read last is what the passes want now (pass.sample), it takes the place of their pieces: true, with the
 * error of the reading in *err. Each reading is taken once. */
bool prefetch_take(struct prefetch *f, pass *const *team, lw_err *err);

#endif
