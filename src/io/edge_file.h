/* SPDX-License-Identifier: BSD-3-Clause
 *
 * edge_file.h: a file of synapses as a source of given edges (lw_edge_source).
 */
#ifndef LAPWING_IO_EDGE_FILE_H
#define LAPWING_IO_EDGE_FILE_H

#include <lapwing/net.h>

typedef struct edge_file {
    const char *path;       /* .h5: SONATA, else text */
    const char *population; /* of edges in a SONATA file; NULL: its only one */
    double dt;              /* ms */
    double weight, delay;   /* where the file has none; delay in ms */
} edge_file;

/** Rank `rank` of `size` reads its share. payload: an edge_file. *edges from lw_alloc. **Local**. */
lw_err edge_file_read(void *payload, int rank, int size, lw_edge **edges, int64_t *n) LW_MUST_CHECK;

#endif
