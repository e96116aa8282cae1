/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dense projections in several lanes. With 16 samples at a rate of 6 % most rows fire in some lane, so a product that
 * leaves out whole rows gains little: here every lane walks its own list of rows. Sums are kept turned round
 * ([lane][target]: vectors run over targets), begin with what the input holds and add one row after the other, so the
 * bits are those of the tiles in deliver_typed.c. Adjoints are computed in dense_adjoint.c, which may contract.
 */
#include <string.h>
#include "dense.h"
#include "dropout.h"
#include "nonzero.h"
#include "ragged.h"

enum { PANEL_BYTES = 1 << 19 };

#define REAL float
#define LW_T(name) name##_f32
#include "dense_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "dense_typed.c"

#if defined(__AVX512BW__) && defined(__AVX512VL__)
/* Lists of the lanes [l0, l0 + lanes), at most 16: the bits of 16 rows are turned round in one register, and each lane
 * takes its rows from it in one instruction. Stores run up to 15 places over, where the next ones, or nothing, follow.
 */
static inline __attribute__((always_inline)) void lists_group(
    engine_dense *d, int64_t l0, int64_t lanes, int64_t width, const uint32_t *row, int64_t n, const float *x) {
    for (int64_t i0 = 0; i0 < n; i0 += 16) {
        int64_t here = n - i0 < 16 ? n - i0 : 16;
        uint16_t bits[16] = {0};
        for (int64_t i = 0; i < here; i++)
            bits[i] = (uint16_t)nonzero_bits_f32(x + (int64_t)row[i0 + i] * width + l0, lanes);
        __m256i all = _mm256_loadu_si256((const void *)bits);
        __m512i rows = _mm512_maskz_loadu_epi32(first_f32(here), row + i0);
        for (int64_t l = 0; l < lanes; l++) { /* the top bit of word i: does row i fire in lane l */
            __mmask16 fires = _mm256_movepi16_mask(_mm256_sll_epi16(all, _mm_cvtsi64_si128(15 - l)));
            int64_t *count = &d->count[l0 + l];
            _mm512_storeu_si512(d->list + (l0 + l) * d->most + *count, _mm512_maskz_compress_epi32(fires, rows));
            *count += __builtin_popcount(fires);
        }
    }
}

/* Spikes of floats. *ones: all are spikes; if that is not known it is found out, and where it is not so nothing is
 * returned. */
static int64_t lists_spikes(
    engine_dense *d, bool *ones, int64_t width, const uint32_t *row, int64_t n, const float *x) {
    int64_t total = 0;
    for (int64_t i = 0; i < n && !*ones; i++) {
        if (!are_binary_f32(x + (int64_t)row[i] * width, width)) return 0;
        *ones = i + 1 == n;
    }
    memset(d->count, 0, (size_t)width * sizeof *d->count);
    for (int64_t l0 = 0; l0 < width; l0 += 16) {
        if (width - l0 >= 16)
            lists_group(d, l0, 16, width, row, n, x);
        else
            lists_group(d, l0, width - l0, width, row, n, x);
    }
    for (int64_t l = 0; l < width; l++)
        total += d->count[l];
    return total;
}
#else
static int64_t lists_spikes(
    engine_dense *d, bool *ones, int64_t width, const uint32_t *row, int64_t n, const float *x) {
    return *ones ? lists_f32(d, true, width, row, n, x) : 0;
}
#endif

static bool is_dense(const lw_proj_view *proj) {
    return proj->dense && !proj->lag_max && !proj->weight_one && proj->n_rows > 0 && proj->n_edges > 0;
}

/* What copies of projection k there are to be, in bytes. */
typedef struct copies_size {
    int64_t weight, panel, packed;
} copies_size;

/* Has the engine products for it? (engine_dense_knows asks the same of the views, whose weights may be copies.) */
static bool is_known(const lw_sim *sim, const lw_proj_view *proj) {
    return is_dense(proj) && (!sim->f64 || proj->weight_type == LW_F64);
}

static copies_size copies_of_proj(const lw_sim *sim, const lw_proj_view *proj) {
    copies_size c = {0};
    if (!is_known(sim, proj)) return c;
    c.packed = dense_packed_count(proj) * (int64_t)sim->real_size;
    if (sim->f64) return c;
    if (proj->weight_type == LW_F64) c.weight = proj->n_edges * (int64_t)sizeof(float);
    if (proj->n_edges / proj->n_rows > DENSE_PANEL) c.panel = proj->n_edges * (int64_t)sizeof(float);
    return c;
}

static int64_t lines(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* The copies of all projections one behind the other, in memory that the ranks share. */
static lw_err copies_window(lw_sim *sim) {
    engine_dense *d = sim->dense;
    int64_t bytes = 0;
    for (int k = 0; k < sim->n_proj; k++) {
        copies_size c = copies_of_proj(sim, &sim->proj[k]);
        bytes += lines(c.weight) + lines(c.panel) + lines(c.packed);
    }
    LW_TRY(lw_window_create(sim->options.copies_with, bytes, &d->window));
    char *at = d->window ? lw_window_at(d->window) : NULL;
    for (int k = 0; d->window && k < sim->n_proj; k++) {
        copies_size c = copies_of_proj(sim, &sim->proj[k]);
        if (c.weight) d->weight[k] = (float *)(void *)at;
        if (c.panel) d->panel[k] = (float *)(void *)(at + lines(c.weight));
        if (c.packed) d->packed[k] = at + lines(c.weight) + lines(c.panel);
        at += lines(c.weight) + lines(c.panel) + lines(c.packed);
    }
    return LW_OK;
}

lw_err engine_dense_copies(lw_sim *sim) {
    engine_dense *d = sim->dense;
    const lw_comm *with = sim->options.copies_with;
    if (!d || d->copies != d) return LW_OK;
    if (with && lw_comm_size(with) > 1) LW_TRY(copies_window(sim));
    for (int k = 0; k < sim->n_proj; k++) {
        copies_size c = copies_of_proj(sim, &sim->proj[k]);
        d->stale[k] = true;
        if (d->window) continue;
        if (c.weight) LW_TRY(lw_alloc((size_t)c.weight, 1, "weights as floats", &d->weight[k]));
        if (c.panel) LW_TRY(lw_alloc((size_t)c.panel, 1, "weights in panels", &d->panel[k]));
    }
    return LW_OK;
}

lw_err engine_dense_create(lw_sim *sim) {
    int64_t rows = 0, targets = 0;
    engine_dense *d = NULL;
    if (sim->width == 1) return LW_OK;
    for (int k = 0; k < sim->n_proj; k++) {
        const lw_proj_view *proj = &sim->proj[k];
        if (!is_dense(proj)) continue;
        if (proj->n_rows > rows) rows = proj->n_rows;
        if (proj->n_edges / proj->n_rows > targets) targets = proj->n_edges / proj->n_rows;
    }
    if (rows == 0) return LW_OK;
    LW_TRY(lw_alloc(1, sizeof *d, "dense products", &d));
    sim->dense = d;
    pthread_mutex_init(&d->lock, NULL);
    /* a list holds rows of a lane, or lanes of a row; lists_spikes looks up to 16 places ahead */
    d->most = (rows > sim->width ? rows : sim->width) + 16;
    size_t cells = (size_t)(d->most * sim->width);
    LW_TRY(lw_alloc((size_t)(targets * sim->width), sim->real_size, "dense products", &d->turned));
    LW_TRY(lw_alloc(cells, sizeof *d->list, "dense products", &d->list));
    LW_TRY(lw_alloc(cells, sim->real_size, "dense products", &d->value));
    LW_TRY(lw_alloc((size_t)sim->width, sizeof *d->count, "dense products", &d->count));
    d->copies = sim->options.copies_of ? sim->options.copies_of->dense : d;
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *d->weight, "dense products", &d->weight));
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *d->panel, "dense products", &d->panel));
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *d->packed, "dense products", &d->packed));
    return lw_alloc((size_t)sim->n_proj, sizeof *d->stale, "dense products", &d->stale);
}

void engine_dense_destroy(lw_sim *sim) {
    engine_dense *d = sim->dense;
    if (!d) return;
    for (int k = 0; k < sim->n_proj && !d->window; k++) {
        if (d->weight) lw_free(d->weight[k]);
        if (d->panel) lw_free(d->panel[k]);
        if (d->packed) lw_free(d->packed[k]);
    }
    lw_window_destroy(&d->window);
    lw_free(d->weight);
    lw_free(d->panel);
    lw_free(d->packed);
    lw_free(d->stale);
    lw_free(d->turned);
    lw_free(d->list);
    lw_free(d->value);
    lw_free(d->count);
    pthread_mutex_destroy(&d->lock);
    lw_free(d);
    sim->dense = NULL;
}

void engine_dense_attach(lw_sim *sim) {
    for (int k = 0; sim->dense && k < sim->n_proj; k++) {
        float *weight = sim->dense->copies->weight[k];
        if (!weight) continue;
        sim->proj[k].weight = weight;
        sim->proj[k].weight_type = LW_F32;
    }
}

/* Rows [first, last). */
static void panels_fill(const lw_proj_view *proj, int64_t first, int64_t last, const float *weight, float *panel) {
    int64_t n_post = proj->n_edges / proj->n_rows;
    for (int64_t j = 0; j < n_post; j += DENSE_PANEL) {
        int64_t here = n_post - j < DENSE_PANEL ? n_post - j : DENSE_PANEL;
        for (int64_t r = first; r < last; r++)
            memcpy(panel + j * proj->n_rows + r * here, weight + r * n_post + j, (size_t)here * sizeof *panel);
    }
}

/* Ranks that share the copies take a stretch of whole tiles of rows each, and what they pack is not made later. */
void engine_dense_refresh(lw_sim *sim) {
    engine_dense *d = sim->dense;
    if (!d || d->copies != d) return;
    int64_t n = d->window ? lw_comm_size(sim->options.copies_with) : 1;
    int64_t rank = d->window ? lw_comm_rank(sim->options.copies_with) : 0;
    if (d->window) lw_window_meet(d->window);
    for (int k = 0; k < sim->n_proj; k++) {
        float *to = d->weight[k], *panel = d->panel[k];
        lw_proj_view proj = lw_net_proj(sim->net, k);
        d->stale[k] = !d->window;
        if (!is_known(sim, &proj)) continue;
        int64_t tiles = (proj.n_rows + DENSE_TILE - 1) / DENSE_TILE, n_post = proj.n_edges / proj.n_rows;
        int64_t first = tiles * rank / n * DENSE_TILE, last = tiles * (rank + 1) / n * DENSE_TILE;
        if (last > proj.n_rows) last = proj.n_rows;
        const double *from = proj.weight;
        for (int64_t i = first * n_post; to && i < last * n_post; i++)
            to[i] = (float)from[i];
        if (to) proj.weight = to;
        if (panel) panels_fill(&proj, first, last, proj.weight, panel);
        if (d->window) dense_pack_rows(sim, &proj, first, last, d->packed[k]);
    }
    if (d->window) lw_window_meet(d->window);
}

lw_err engine_dense_room(const lw_sim *sim, int32_t k) {
    engine_dense *d = sim->dense->copies;
    lw_err err = LW_OK;
    pthread_mutex_lock(&d->lock);
    if (!d->packed[k])
        err = lw_alloc((size_t)dense_packed_count(&sim->proj[k]), sim->real_size, "packed weights", &d->packed[k]);
    pthread_mutex_unlock(&d->lock);
    return err;
}

void *engine_dense_packed(lw_sim *sim, int32_t k) {
    engine_dense *d = sim->dense->copies;
    pthread_mutex_lock(&d->lock);
    if (d->stale[k]) dense_pack(sim, &sim->proj[k], d->packed[k]);
    d->stale[k] = false;
    pthread_mutex_unlock(&d->lock);
    return d->packed[k];
}

bool engine_dense_knows(const lw_sim *sim, const lw_proj_view *proj) {
    return sim->dense && is_dense(proj) && proj->weight_type == (sim->f64 ? LW_F64 : LW_F32);
}

static void turn(const lw_sim *sim, int64_t rows, int64_t columns, const void *in, void *out) {
    if (sim->f64)
        lw_turn_f64(rows, columns, in, columns, out, rows);
    else
        lw_turn_f32(rows, columns, in, columns, out, rows);
}

bool dense_walk(lw_sim *sim, const lw_proj_view *proj, const uint32_t *row, int64_t n, const void *x, bool zero,
    void *acc, int64_t *events) {
    engine_dense *d = sim->dense;
    bool ones = sim->pop[proj->pre].model->emits_spikes && !sim->options.smooth && !dropout_mask(sim, proj);
    int64_t n_post = proj->n_edges / proj->n_rows, total = 0;
    if (!sim->f64) total = lists_spikes(d, &ones, sim->width, row, n, x);
    if (sim->f64)
        total = lists_f64(d, ones, sim->width, row, n, x);
    else if (!ones)
        total = lists_f32(d, ones, sim->width, row, n, x);
    if ((double)total > sim->options.crossover.walk * (double)(n * sim->width)) return false;
    if (d->open != acc) {
        dense_close(sim);
        d->open = acc;
        d->n_open = n_post;
        if (zero)
            memset(d->turned, 0, (size_t)(n_post * sim->width) * sim->real_size);
        else
            turn(sim, n_post, sim->width, acc, d->turned);
    }
    if (sim->f64)
        lanes_add_f64(d, ones, proj->weight, NULL, proj->n_rows, n_post, sim->width, d->turned);
    else
        lanes_add_f32(
            d, ones, proj->weight, d->copies->panel[proj - sim->proj], proj->n_rows, n_post, sim->width, d->turned);
    *events += total * n_post;
    return true;
}

void dense_close(lw_sim *sim) {
    engine_dense *d = sim->dense;
    if (!d || !d->open) return;
    turn(sim, sim->width, d->n_open, d->turned, d->open);
    d->open = NULL;
}

bool lw_sim_has_bf16(void) {
#ifdef __AVX512BF16__
    return true;
#else
    return false;
#endif
}

void dense_pack_rows(const lw_sim *sim, const lw_proj_view *proj, int64_t first, int64_t last, void *packed) {
    int64_t n_post = proj->n_edges / proj->n_rows;
    if (dense_in_pairs(sim)) {
        int64_t line = dense_line(n_post), pairs = (n_post + 1) / 2;
        const float *weight = (const float *)proj->weight + first * n_post;
        uint16_t *to = packed;
        dense_pairs_pack(weight, last - first, n_post, to + first * 2 * pairs);
        dense_pairs_lines(last - first, n_post, line, weight, to + dense_packed_count(proj) + first * line);
        return;
    }
    if (sim->f64)
        pack_f64(proj, first, last, packed);
    else
        pack_f32(proj, first, last, packed);
    if (!sim->options.adjoint_bf16 || sim->f64) return;
    float *at = (float *)packed + first * n_post;
    int64_t tiles = (last - first + DENSE_TILE - 1) / DENSE_TILE;
    dense_rounded(tiles * DENSE_TILE * n_post, at, at);
}

void dense_pack(const lw_sim *sim, const lw_proj_view *proj, void *packed) {
    dense_pack_rows(sim, proj, 0, proj->n_rows, packed);
}

void dense_back(const lw_sim *sim, const lw_proj_view *proj, const void *packed, const void *in_adj, void *x_adj) {
    int64_t n_post = proj->n_edges / proj->n_rows;
    void *room = sim->dense->turned;
    if (sim->f64) {
        dense_adjoint_f64(packed, proj->n_rows, n_post, sim->width, in_adj, x_adj);
    } else if (dense_in_pairs(sim)) {
        dense_pairs_of(n_post, sim->width, in_adj, room);
        dense_pairs_adjoint(packed, proj->n_rows, n_post, sim->width, room, x_adj);
    } else {
        if (sim->options.adjoint_bf16) {
            dense_rounded(n_post * sim->width, in_adj, room);
            in_adj = room;
        }
        dense_adjoint_f32(packed, proj->n_rows, n_post, sim->width, in_adj, x_adj);
    }
}

bool dense_back_sampled(lw_sim *sim, const lw_proj_view *proj, const void *packed, const int32_t *neuron,
    const void *slope, const void *in_adj, void *x_adj) {
    int64_t n_post = proj->n_edges / proj->n_rows, line = dense_line(n_post);
    engine_dense *d = sim->dense;
    uint64_t *bits = d->value;
    const double *place = sim->options.crossover.place;
    double share = (double)n_post / (place[0] * (double)n_post + place[1]);
    bool pairs = dense_in_pairs(sim);
    int64_t total = sim->f64 ? open_f64(proj->n_rows, sim->width, neuron, slope, bits)
                             : open_f32(proj->n_rows, sim->width, neuron, slope, bits);
    if (total < 0 || (double)total > share * (double)(proj->n_rows * sim->width) || (pairs && n_post < 32))
        return false;
    turn(sim, n_post, sim->width, in_adj, d->turned);
    if (sim->f64) {
        dense_sampled_f64(proj->weight, proj->n_rows, n_post, n_post, sim->width, bits, d->turned, x_adj);
    } else if (pairs) {
        dense_pairs_lines(sim->width, n_post, line, d->turned, d->turned);
        dense_sampled_pairs((const uint16_t *)packed + dense_packed_count(proj), proj->n_rows, line, line, sim->width,
            bits, d->turned, x_adj);
    } else {
        dense_sampled_f32(proj->weight, proj->n_rows, n_post, n_post, sim->width, bits, d->turned, x_adj);
    }
    return true;
}
