/* SPDX-License-Identifier: BSD-3-Clause
 *
 * graph.h: what the graph file shares inside this room.
 */
#ifndef LAPWING_PRUNE_GRAPH_H
#define LAPWING_PRUNE_GRAPH_H

#include <lapwing/prune.h>

/** All edges turned round. */
lw_err graph_transpose(const lw_graph *g, lw_graph *out) LW_MUST_CHECK;

#endif
