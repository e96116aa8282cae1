/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes of a rank's network for an expected number of synapses and slots, in the order in which net makes them: source
 * population by source population, each projection by itself or in a bundle with others. The rules are those of
 * src/net (family.c, bundle.c, storage.c, slots.c); the tests compare every number with a network that was built.
 */
#include <math.h>
#include <stdlib.h>
#include "plan_private.h"

enum { LINE = 64, HUGE_PAGE = 2 << 20, HUGE_FROM = 4 << 20, PAGE = 32768, BLOCK_MOST = 65536, LIST_PAIRS = 65536 };
enum { ROUND = 1 << 18, SET_PAGE = 5128 };
/* bytes of a synapse while a checkpoint is written, measured: listed where it is, and received where it is written */
#define LISTED_BYTES 140.0
#define RECEIVED_BYTES 60.0
#define EDGES_MOST 3e9 /* of a rank in one block */

double plan_block(double bytes) {
    bytes += LINE;
    return bytes < HUGE_FROM ? bytes : HUGE_PAGE * ceil(bytes / HUGE_PAGE);
}

/* Memory over the time of building. */
typedef struct level {
    double now, peak;
} level;

static void hold(level *m, double bytes) {
    m->now += bytes;
    if (m->now > m->peak) m->peak = m->now;
}

static void drop(level *m, double bytes) {
    m->now -= bytes;
}

/* ------------------------------------------------------------------ how a projection is stored */

static bool is_dense(const plan_part *part, int32_t i) {
    const lw_projection_spec *s = &part->spec->proj[i];
    double pairs = (double)part->spec->pop[s->pre].size * (double)part->spec->pop[s->post].size;
    if (part->edges_all[i] != pairs || plan_delays_distinct(&part->delays[i], pairs) > 1.5) return false;
    return s->rule == LW_RULE_ALL_TO_ALL || s->rule == LW_RULE_ONE_TO_ONE || !s->multapses ||
           s->rule == LW_RULE_PAIRWISE_BERNOULLI;
}

static bool one_weight(const lw_projection_spec *s) {
    if (s->learn || s->zero_mean || s->synapse) return false;
    if (s->weight_of.kind != LW_PROFILE_NONE || (s->rule == LW_RULE_CLUSTERED && s->weight_in != 1)) return false;
    if (s->rule != LW_RULE_EDGES) return s->weight.kind == LW_DIST_CONSTANT;
    for (int64_t i = 1; i < s->n_edges; i++)
        if (s->edges[i].weight != s->edges[0].weight) return false;
    return s->n_edges > 0 || s->weight.kind == LW_DIST_CONSTANT;
}

static double weight_value(const lw_projection_spec *s) {
    if (s->rule == LW_RULE_EDGES && s->n_edges > 0) return s->edges[0].weight;
    return s->weight.kind == LW_DIST_CONSTANT ? s->weight.p[0] : 0;
}

static bool is_bundled(const plan_part *part, int32_t i) {
    const lw_projection_spec *s = &part->spec->proj[i];
    int32_t low, positive, high;
    if (s->learn || s->learn_delay || s->synapse || !part->spec->pop[s->pre].model->emits_spikes || is_dense(part, i))
        return false;
    plan_delays_range(&part->delays[i], part->edges_all[i], &low, &positive, &high);
    return low > 0;
}

/* Drawn target by target, twice, without a list. */
static bool is_drawn(const plan_part *part, int32_t i) {
    const lw_projection_spec *s = &part->spec->proj[i];
    double pairs = (double)part->spec->pop[s->pre].size * (double)part->spec->pop[s->post].size;
    if (pairs <= LIST_PAIRS || !is_bundled(part, i) || s->delay.kind == LW_DIST_LIST) return false;
    if (s->rule == LW_RULE_CLUSTERED) return s->p <= 0.9 && s->p_out <= 0.9;
    if (s->rule == LW_RULE_PAIRWISE_BERNOULLI) return !s->symmetric && !s->mirror && s->p <= 0.9;
    return s->rule == LW_RULE_FIXED_INDEGREE || s->rule == LW_RULE_FIXED_TOTAL_NUMBER;
}

/* Number of the family among those with this source and port: how many earlier projections take the same place. */
static int32_t place_of(const plan_part *part, int32_t i) {
    const lw_projection_spec *s = &part->spec->proj[i];
    int32_t n = 0;
    for (int32_t k = 0; k < i; k++) {
        const lw_projection_spec *o = &part->spec->proj[k];
        n += o->pre == s->pre && o->post == s->post && o->port == s->port && is_bundled(part, k);
    }
    return n;
}

static bool together(const plan_part *part, int32_t a, int32_t b) {
    const lw_projection_spec *x = &part->spec->proj[a], *y = &part->spec->proj[b];
    if (x->pre != y->pre || x->port != y->port || one_weight(x) != one_weight(y)) return false;
    if (one_weight(x) && weight_value(x) != weight_value(y)) return false;
    return place_of(part, a) == place_of(part, b);
}

/* Target blocks, as blocks.c cuts them. */
static double blocks_of(const plan_part *part) {
    double threads = part->options->threads > 1 ? part->options->threads : 1, n = threads, edges = 0;
    for (int32_t i = 0; i < part->spec->n_proj; i++)
        edges += part->edges[i];
    while (edges / n > EDGES_MOST || (double)part->n_local / n > BLOCK_MOST)
        n += threads;
    return n;
}

static double weight_bytes(const plan_part *part, int32_t i) {
    return one_weight(&part->spec->proj[i]) ? 0 : (double)lw_dtype_size(part->spec->weight_type);
}

/* ------------------------------------------------------------------ building */

/* Lists of a projection that is not drawn straight into its place; what stays until its population is done. */
static double list_make(const plan_part *part, int32_t i, level *m) {
    const lw_projection_spec *s = &part->spec->proj[i];
    double n = part->edges[i], targets = (double)part->neurons[s->post];
    bool whole =
        s->rule == LW_RULE_ALL_TO_ALL && (s->autapses || s->pre != s->post) && s->delay.kind == LW_DIST_CONSTANT;
    if (whole) return 0;
    double arrived =
        s->rule == LW_RULE_FIXED_OUTDEGREE || s->rule == LW_RULE_SMALL_WORLD || s->symmetric || s->mirror ? 8 * n : 0;
    double list = plan_block(8 * targets) + plan_block(4 * n);
    if (s->rule == LW_RULE_EDGES) {
        arrived = 24 * n;
        list += plan_block(24 * n);
    }
    double round = arrived > 0 ? fmin(n, ROUND) * 36 : 0;
    hold(m, arrived + round);
    drop(m, round);
    hold(m, list);
    drop(m, arrived);
    bool one_delay =
        s->delay.kind == LW_DIST_CONSTANT && s->delay_of.kind == LW_PROFILE_NONE && s->rule != LW_RULE_EDGES;
    double delays = one_delay ? 0 : plan_block(4 * n);
    hold(m, delays);
    return list + delays;
}

/* A projection by itself. */
static void alone(const plan_part *part, int32_t i, level *m, plan_bytes *out) {
    const lw_projection_spec *s = &part->spec->proj[i];
    double n = part->edges[i], slots = part->slots[s->pre].mean, w = weight_bytes(part, i);
    double slices = is_dense(part, i) ? 1 : plan_delays_distinct(&part->delays[i], n);
    double bytes = 32 * slices + w * n, rows = slices * (slots + 1) * 8;
    hold(m, w > 0 ? plan_block(w * n) : 0);
    if (s->learn_delay) {
        bytes += 4 * n;
        hold(m, plan_block(4 * n));
    }
    if (!is_dense(part, i)) {
        bytes += 4 * n + rows;
        hold(m, plan_block(4 * n) + plan_block(rows) + plan_block(4 * slots));
    }
    if (s->rule == LW_RULE_WINDOW && s->window.shared && s->learn) { /* synapses by kernel entry, and the entries */
        const lw_window *v = &s->window;
        double entries = (double)v->out[0] * (v->same_channel ? 1 : v->in[0]) * v->kernel[0] * v->kernel[1];
        bytes += 4 * n + (2 * entries + 1) * 8;
        hold(m, plan_block(4 * n) + plan_block(8 * entries) + plan_block(8 * entries + 8));
    }
    out->synapses += bytes;
    out->piece[out->n_pieces++] =
        (plan_piece){.pre = s->pre, .weight_one = w == 0, .dense = is_dense(part, i), .edges = n, .cells = slices};
}

/* Different delays in a piece of a bundle that holds `share` of the members' local synapses. */
static double slices_of(const plan_part *part, int32_t first, double share) {
    int32_t most = 0;
    double sum = 0;
    for (int32_t i = first; i < part->spec->n_proj; i++)
        if (is_bundled(part, i) && together(part, first, i) && part->delays[i].n > most) most = part->delays[i].n;
    for (int32_t d = 0; d < most; d++) {
        double ln = 0;
        for (int32_t i = first; i < part->spec->n_proj; i++)
            if (is_bundled(part, i) && together(part, first, i) && d < part->delays[i].n)
                ln -= part->edges[i] * share * part->delays[i].share[d];
        sum -= expm1(ln);
    }
    return sum;
}

/* The bundle that member `first` opens, in all blocks. */
static void bundle(const plan_part *part, int32_t first, double blocks, level *m, plan_bytes *out) {
    const lw_projection_spec *s = &part->spec->proj[first];
    double n = 0, slots = part->slots[s->pre].mean, w = weight_bytes(part, first);
    for (int32_t i = first; i < part->spec->n_proj; i++)
        if (is_bundled(part, i) && together(part, first, i)) n += part->edges[i];
    if (n < 0.5) return;
    double each = n / blocks, slices = fmax(slices_of(part, first, 1 / blocks), 1);
    bool one_delay = slices < 1.5;
    double pre = (double)part->spec->pop[s->pre].size, sources = fmin(slots, pre * -expm1(-each / pre));
    /* a byte per synapse where a table of cells would be larger than about that */
    bool coded = !one_delay && slices <= 256 && sources * slices > each / 4;
    double cells = coded ? 4 * (slots + 1) + each : 4 * (slots * slices + 1);
    double pages = ceil((double)part->spec->pop[s->pre].size / PAGE);
    for (double b = 0; b < blocks; b++) {
        double counts = fmin(pages, each) * plan_block(4 * PAGE) + 8 * pages;
        double rows = plan_block(4 * slots), begin = plan_block(4 * slots + 4),
               delays = one_delay ? 0 : plan_block(each);
        hold(m, counts + rows + begin + plan_block(2 * each) + (w > 0 ? plan_block(w * each) : 0) + delays);
        if (!one_delay) {
            hold(m, coded ? plan_block(each) : plan_block(cells));
            drop(m, coded ? 0 : begin);
        }
        drop(m, counts + delays);
        out->synapses += 4 * slices + (2 + w) * each + cells;
    }
    out->piece[out->n_pieces++] =
        (plan_piece){.pre = s->pre, .weight_one = w == 0, .edges = n, .cells = slices * blocks};
}

static void pre_make(const plan_part *part, int32_t pre, double blocks, level *m, plan_bytes *out) {
    double lists = 0;
    for (int32_t i = 0; i < part->spec->n_proj; i++) {
        if (part->spec->proj[i].pre != pre || is_drawn(part, i)) continue;
        double list = list_make(part, i, m);
        if (is_bundled(part, i)) {
            lists += list;
            continue;
        }
        alone(part, i, m, out);
        drop(m, list);
    }
    for (int32_t i = 0; i < part->spec->n_proj; i++) {
        if (part->spec->proj[i].pre != pre || !is_bundled(part, i)) continue;
        bool opens = true;
        for (int32_t k = 0; k < i && opens; k++)
            opens = !(is_bundled(part, k) && together(part, k, i));
        if (opens) bundle(part, i, blocks, m, out);
    }
    drop(m, lists);
}

/* Slots: the list of sources of each population replaces those of its rows. */
static void slots_make(const plan_part *part, level *m) {
    double lists = 0;
    for (int32_t p = 0; p < part->spec->n_pop; p++) {
        double n = part->slots[p].mean, pages = ceil((double)part->spec->pop[p].size / PAGE);
        hold(m, fmin(n, pages) * SET_PAGE + 8 * pages);
        drop(m, fmin(n, pages) * SET_PAGE + 8 * pages);
        hold(m, plan_block(4 * n));
        lists += plan_block(4 * n);
    }
    double n = part->slots_all;
    hold(m, 2 * plan_block(8 * n) + 2 * plan_block(4 * n) + 8.0 * part->cut->ranks);
    drop(m, lists + 8.0 * part->cut->ranks);
}

/* A portion is a stretch of targets with so many synapses for each rank; with blocks they are all of one rank. */
static double saving_bytes(const plan_part *part, double edges) {
    double portion = part->options->saved_synapses, ranks = part->cut->ranks;
    double listed = part->spec->partition == LW_PARTITION_BLOCK ? portion * ranks : portion;
    return LISTED_BYTES * fmin(edges, listed) + RECEIVED_BYTES * fmin(edges, portion);
}

lw_err plan_storage(const plan_part *part, plan_bytes *out) {
    const lw_net_spec *spec = part->spec;
    level m = {0};
    double *expected = NULL, blocks = blocks_of(part), row_lists = 0;
    LW_TRY(lw_alloc((size_t)spec->n_pop, sizeof *expected, "a plan", &expected));
    out->neurons = (double)part->n_local * 8 + part->slots_all * 24;
    hold(&m, plan_block(8 * (double)part->n_local));
    for (int32_t p = 0; p < spec->n_pop; p++) {
        double columns = 1 + spec->pop[p].model->n_param + spec->pop[p].model->n_state, n = (double)part->neurons[p];
        out->neurons += 8 * n * columns;
        hold(&m, columns * plan_block(8 * n));
    }
    for (int32_t i = 0; i < spec->n_proj; i++)
        expected[spec->proj[i].pre] += part->edges_all[i];
    for (int32_t made = 0; made < spec->n_pop; made++) { /* by falling number of synapses */
        int32_t best = -1;
        for (int32_t p = 0; p < spec->n_pop; p++)
            if (expected[p] >= 0 && (best < 0 || expected[p] > expected[best])) best = p;
        expected[best] = -1;
        pre_make(part, best, blocks, &m, out);
    }
    lw_free(expected);
    for (int32_t k = 0; k < out->n_pieces; k++) /* lists of sources go with the slots */
        row_lists += out->piece[k].dense ? 0 : plan_block(4 * part->slots[out->piece[k].pre].mean);
    slots_make(part, &m);
    drop(&m, row_lists);
    for (int32_t i = 0; i < spec->n_proj; i++)
        out->saving = fmax(out->saving, saving_bytes(part, part->edges[i]));
    out->held = m.now;
    out->building = m.peak;
    return LW_OK;
}
