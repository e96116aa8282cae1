/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment.h: what the experiment_*.c files share: the tree being read and the growing result.
 */
#ifndef LAPWING_IO_EXPERIMENT_H
#define LAPWING_IO_EXPERIMENT_H

#include "yaml_tree.h"
#include <lapwing/io.h>

typedef struct reader {
    yaml_tree *tree;
    const yaml_tree_node *root;
    lw_experiment *x;
    lw_population_spec *pop; /* [x->net.n_pop] */
} reader;

/** Population by name; EUSE listing the names. */
lw_err reader_population(const reader *r, const yaml_tree_node *node, const char *name, int32_t *out) LW_MUST_CHECK;
/** A name or a list of names -> indices (tree memory). */
lw_err reader_populations(reader *r, const yaml_tree_node *node, const int32_t **out, int *n) LW_MUST_CHECK;
/** Port of a population's model by name; without `port` key the only (or first) one. */
lw_err reader_port(const reader *r, const yaml_tree_node *map, int32_t pop, int32_t *out) LW_MUST_CHECK;
/** "superspike" or {superspike: slope}. */
lw_err reader_surrogate(const yaml_tree_node *map, const char *key, lw_surrogate *out) LW_MUST_CHECK;
/** key: detached | full. */
lw_err reader_reset(const yaml_tree_node *map, bool *detached) LW_MUST_CHECK;
/** A time as a number of steps (rounded), at least `least`. */
lw_err reader_steps(
    const reader *r, const yaml_tree_node *map, const char *key, int64_t least, int64_t *out) LW_MUST_CHECK;

/** A number of bytes with its unit, such as 4 GB. */
lw_err reader_bytes(const yaml_tree_node *map, const char *key, int64_t *bytes) LW_MUST_CHECK;

/** A path next to the experiment file, unless it is absolute: path itself or buf. */
const char *experiment_beside(const lw_experiment *x, const char *path, char *buf, size_t size);

/* experiment_space.c */
/** Key `positions` of a population; nothing when absent. */
lw_err experiment_positions(reader *r, const yaml_tree_node *map, int64_t size, lw_layout *out) LW_MUST_CHECK;
/** Keys `p` and `radius` of a projection whose rule is known. */
lw_err experiment_chance(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) LW_MUST_CHECK;
/** Whether a weight or delay is a function of distance, and which. */
bool experiment_is_by_distance(const yaml_tree_node *node);
lw_err experiment_by_distance(reader *r, const yaml_tree_node *node, const char *unit, lw_profile *out) LW_MUST_CHECK;

/* experiment_weight.c */
/** Whether a weight is chosen for the projection as a whole, and that weight; rule, port and populations are known.
 * number: of the projection, for random numbers. */
bool experiment_is_whole_weight(const yaml_tree_node *node);
lw_err experiment_whole_weight(reader *r, const yaml_tree_node *node, const char *unit, double fan_in, uint64_t number,
    lw_projection_spec *proj) LW_MUST_CHECK;

/** Keys `shape` of a population and `kernel`, `stride`, `padding` of a projection (experiment_window.c). */
lw_err experiment_shape(const yaml_tree_node *map, lw_population_spec *pop) LW_MUST_CHECK;
lw_err experiment_shape_check(const yaml_tree_node *map, const lw_population_spec *pop) LW_MUST_CHECK;
lw_err experiment_window_keys(const yaml_tree_node *map) LW_MUST_CHECK;
lw_err experiment_window(
    reader *r, const yaml_tree_node *map, const char *name, lw_projection_spec *proj) LW_MUST_CHECK;
/** Projections that a rule max_pool makes, one per entry of its kernel; 0: another rule. */
lw_err experiment_max_entries(const yaml_tree_node *map, int *entries) LW_MUST_CHECK;
/** One of them, when all else of it is known: its port, and what max_pool does not allow. */
lw_err experiment_max_pool(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) LW_MUST_CHECK;
/** Key `synapse` of a projection whose weight and delay are known (experiment_synapse.c); nothing when absent. */
lw_err experiment_synapse(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) LW_MUST_CHECK;

/** Keys of the section train on how the gradient is made (experiment_learning.c). */
lw_err experiment_learning(const yaml_tree_node *train, lw_train_spec *t) LW_MUST_CHECK;
/** Key `initialize` of the section train (experiment_initialize.c); nothing when absent. */
lw_err experiment_initialize(reader *r, const yaml_tree_node *train) LW_MUST_CHECK;

/** The section sharpness (experiment_sharpness.c). */
lw_err experiment_sharpness(reader *r) LW_MUST_CHECK;

lw_err experiment_network(reader *r) LW_MUST_CHECK; /* experiment_network.c: populations, projections */
lw_err experiment_stimuli(reader *r) LW_MUST_CHECK; /* experiment_stimuli.c: inputs */
lw_err experiment_record(reader *r) LW_MUST_CHECK;  /* experiment_record.c: record, statistics */
lw_err experiment_data(reader *r) LW_MUST_CHECK;    /* experiment_data.c: data */
lw_err experiment_train(reader *r) LW_MUST_CHECK;   /* experiment_train.c: train */
lw_err experiment_stages(
    reader *r) LW_MUST_CHECK; /* experiment_stages.c: lyapunov, prune, checkpoint, stages; calls experiment_train */

#endif
