/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stimulus.h: what the stimulus files share: a stimulus inside the engine and the random numbers it has drawn.
 * stimulus_create.c makes it from a specification, stimulus_draw.c draws, stimulus.c adds to inputs.
 */
#ifndef LAPWING_SIM_STIMULUS_H
#define LAPWING_SIM_STIMULUS_H

#include "engine_parts.h"

enum {
    STIMULUS_WORDS = 4,      /* 32-bit words of one block of random bits */
    STIMULUS_TABLE_MAX = 256 /* thresholds of a Poisson table */
};
/** Poisson means above are drawn one by one. */
#define STIMULUS_TABLE_MEAN 64.0

/** Numbers are drawn for blocks of ENGINE_STIMULUS_BLOCK neighbouring elements (neuron, lane), element = local neuron *
 * width + lane. A block knows what it holds, so blocks are independent of each other: threads may work on different
 * ones at the same time. */
typedef struct stimulus {
    lw_stimulus_spec spec; /* lists are not kept */
    double *amplitude;     /* [n_local], NULL: all `constant`; Poisson: mean number of events per step */
    double constant;
    uint32_t key[2];
    int64_t *group; /* [n_blocks] the group of steps whose numbers the block holds, -1: none */
    uint32_t *bits; /* Poisson: [n_blocks][STIMULUS_WORDS][ENGINE_STIMULUS_BLOCK] one word per step of the group */
    /* [n_blocks][2][ENGINE_STIMULUS_BLOCK], one per step of the group; noise: deviations from the mean, uniform:
     * numbers in (0, 1) */
    double *normal;
    uint32_t *table; /* [n_table] count = number of thresholds <= word; Poisson with one rate */
    int n_table;
    uint32_t *event_local; /* [n_events] own neurons of given spikes, by (step, neuron) */
    int64_t *event_step;
    int64_t n_events;
    int64_t *change_step; /* [spec.n_changes], spec.change_value likewise; values per step for Poisson */
    double *change_value;
} stimulus;

/** What all neurons have in common in one step. */
typedef struct stimulus_level {
    double shared;         /* added to every neuron's own value; Poisson: mean number of events per step */
    const uint32_t *table; /* [n_table] NULL: count by each neuron's own mean */
    int n_table;
    uint32_t own_table[STIMULUS_TABLE_MAX];
} stimulus_level;

typedef struct engine_stimulus {
    int n;
    uint64_t seed;
    stimulus *item; /* [n] */
} engine_stimulus;

/** Make sure that the numbers of step t are there for elements [first, last), first being the beginning of a block. */
void stimulus_draw(stimulus *s, const lw_pop_view *view, int64_t width, int64_t t, int64_t first, int64_t last);
/** Value, and Poisson table, of step t. */
void stimulus_level_find(const stimulus *s, double dt, int64_t t, stimulus_level *level);
/** Poisson events of step t, of the n elements of block b, which has been drawn. */
void stimulus_counts(const engine_stimulus *all, const stimulus *s, const stimulus_level *level,
    const lw_pop_view *view, int64_t width, int64_t t, int64_t b, int64_t n, int32_t count[ENGINE_STIMULUS_BLOCK]);
/** Deviations from the mean of step t, of the elements of block b, which has been drawn. */
const double *stimulus_deviations(const stimulus *s, int64_t t, int64_t b);
/** Thresholds such that counting those <= u is Poisson with the given mean; their number. */
int stimulus_table(double mean, uint32_t table[STIMULUS_TABLE_MAX]);

#endif
