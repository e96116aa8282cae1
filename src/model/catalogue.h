/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table that lapwing-modelc writes at build time.
 */
#ifndef LW_MODEL_CATALOGUE_H
#define LW_MODEL_CATALOGUE_H

#include <lapwing/kernel.h>

/** The text of kernel.h, for models compiled at run time. */
extern const char lw_kernel_header[];

/** Alphabetical, ends with NULL. */
extern const lw_model *const lw_builtin_models[];
extern const lw_synapse_model *const lw_builtin_synapses[];

#endif
