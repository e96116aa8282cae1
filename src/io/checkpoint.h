/* SPDX-License-Identifier: BSD-3-Clause
 *
 * checkpoint.h: what the checkpoint's files share: its names in the file and on disk, the parts that are saved and
 * loaded, the canonical order of synapses.
 */
#ifndef LAPWING_IO_CHECKPOINT_H
#define LAPWING_IO_CHECKPOINT_H

#include <lapwing/io.h>
#include "h5.h"

#define CHECKPOINT_FORMAT "lapwing-checkpoint"
#define CHECKPOINT_LINK "checkpoint.h5"

struct lw_checkpoint {
    lw_h5_reader *reader; /* of this process */
    lw_checkpoint_info info;
    char *experiment, *experiment_name, *stage, *results; /* what info points to */
    char **override;
};

/** A path inside a file; names of populations and projections go in through checkpoint_name. */
typedef struct checkpoint_path {
    char text[1024];
} checkpoint_path;
checkpoint_path checkpoint_at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** A name as a link of HDF5: '/' and '%' as %2F and %25, "." as %2E. */
checkpoint_path checkpoint_name(const char *name);
/** Back, in place. */
void checkpoint_name_undo(char *name);
/** Unit of a number kept in internal units, for a quantity that is written in `unit` (scale internal units each): "mV",
 *  "0.001 s", "1". */
checkpoint_path checkpoint_unit(const char *unit, double scale);
/** EUSE when a name is longer than its path has room. */
lw_err checkpoint_names_check(const lw_net *net) LW_MUST_CHECK;

/* ---- parts; saving is **Collective** over comm, the ranks of one replica; loading over the object's communicator */
lw_err checkpoint_net_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net) LW_MUST_CHECK;
lw_err checkpoint_projection_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net, int proj) LW_MUST_CHECK;
lw_err checkpoint_sim_save(lw_h5_writer *w, const lw_comm *comm, lw_sim *sim) LW_MUST_CHECK;
lw_err checkpoint_trainer_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_net *net, lw_trainer *trainer) LW_MUST_CHECK;

/** One value per neuron of a population: rows of `row_bytes`, this rank's neurons, from or to an array of the file. The
 *  type is of one number; row 0: shape [N]. */
lw_err checkpoint_neurons_save(lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop, const lw_h5_array *array,
    const void *rows) LW_MUST_CHECK;
lw_err checkpoint_neurons_load(const lw_h5_reader *r, const lw_net *net, int pop, const char *path, hid_t type,
    int64_t row, void *rows) LW_MUST_CHECK;
/** Layout and places of a population's neurons, in its group (checkpoint_layout.c). Nothing without positions. */
lw_err checkpoint_layout_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop, const char *group) LW_MUST_CHECK;
/** **Local**. Listed places come in *list, which the caller frees. */
lw_err checkpoint_layout_load(
    const lw_h5_reader *r, const char *group, int64_t size, lw_layout *out, double **list) LW_MUST_CHECK;
/** EFILE when array `path` does not hold n items of `row` numbers. Local. */
lw_err checkpoint_shape_check(const lw_h5_reader *r, const char *path, int64_t n, int64_t row) LW_MUST_CHECK;

/* Numbers of /network/projections/<name>/window, the window by which synapses share learned weights. */
enum { CHECKPOINT_WINDOW = 13 };

/** Where synapses stand in the canonical order of a projection: (target, source, order) over the whole network. */
typedef struct checkpoint_order {
    int64_t n_global;
    int64_t *first; /* [n_local of post] place of the first synapse of each local target */
} checkpoint_order;
/** **Collective**. */
lw_err checkpoint_order_find(const lw_net *net, int proj, checkpoint_order *out) LW_MUST_CHECK;
void checkpoint_order_free(checkpoint_order *order);
/** Synapses of this rank with targets [begin, end), in canonical order. */
typedef struct checkpoint_edges {
    int64_t n;
    lw_edge *edge;   /* [n] */
    int64_t *number; /* [n] their edge numbers here */
    int64_t *index;  /* [n] their places in the order of all */
} checkpoint_edges;
/** Local. */
lw_err checkpoint_edges_find(const lw_net *net, int proj, const checkpoint_order *order, int64_t begin, int64_t end,
    checkpoint_edges *out) LW_MUST_CHECK;
void checkpoint_edges_free(checkpoint_edges *e);

/* ---- names on disk (checkpoint_files.c); local */
typedef struct checkpoint_list {
    int64_t n;
    char (*name)[64]; /* [n] "checkpoint-<step>.h5", newest first */
} checkpoint_list;
/** What checkpoint.h5 points to first, then by time of change, then by step. */
lw_err checkpoint_list_make(const char *dir, checkpoint_list *out) LW_MUST_CHECK;
void checkpoint_list_free(checkpoint_list *list);
/** Remove temporary files of runs that were killed. */
void checkpoint_leftovers_remove(const char *dir);
/** fsync the finished temporary file, give it its name, point the link at it, drop all but the newest `keep`. */
lw_err checkpoint_publish(const char *dir, const char *temporary, const char *name, int keep) LW_MUST_CHECK;

#endif
