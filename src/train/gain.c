/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Factors on the weights of some projections, and the search for the one that makes a measured number what it should
 * be. Gains are powers of two with a short exponent, so that every rank and every number of ranks that takes the same
 * decisions has the same bits.
 */
#include <math.h>
#include <string.h>
#include <lapwing/train.h>

struct lw_weight_gain {
    lw_net *net;
    int32_t n;
    int32_t *proj; /* [n] */
    double **base; /* [n] weights when made, in edge order, then those of tied kernel entries */
};

lw_err lw_weight_gain_create(lw_net *net, const uint8_t *wanted, lw_weight_gain **out) {
    lw_weight_gain *g = NULL;
    size_t n_proj = (size_t)lw_net_n_proj(net);
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_net_unbundle(net), failed);
    LW_TRY_TO(lw_alloc(1, sizeof *g, "a gain of weights", &g), failed);
    g->net = net;
    LW_TRY_TO(lw_alloc(n_proj, sizeof *g->proj, "a gain of weights", &g->proj), failed);
    LW_TRY_TO(lw_alloc(n_proj, sizeof(double *), "a gain of weights", &g->base), failed);
    for (int32_t i = 0; i < (int32_t)n_proj; i++) {
        if (!wanted[i]) continue;
        LW_TRY_TO(lw_net_weight_array(net, i), failed);
        lw_proj_view v = lw_net_proj(net, i);
        LW_TRY_TO(
            lw_alloc((size_t)(v.n_edges + v.n_tied), sizeof(double), "a gain of weights", &g->base[g->n]), failed);
        for (int64_t e = 0; e < v.n_edges; e++)
            g->base[g->n][e] = lw_net_weight(&v, e);
        for (int64_t e = 0; e < v.n_tied; e++)
            g->base[g->n][v.n_edges + e] = v.tied[e];
        g->proj[g->n++] = i;
    }
    *out = g;
    return LW_OK;
failed:
    lw_weight_gain_destroy(&g);
    return err;
}

void lw_weight_gain_set(lw_weight_gain *gain, double log2_gain) {
    double factor = exp2(log2_gain);
    for (int32_t k = 0; k < gain->n; k++) {
        lw_proj_view v = lw_net_proj(gain->net, gain->proj[k]);
        for (int64_t e = 0; e < v.n_edges; e++) {
            if (v.weight_type == LW_F64)
                ((double *)v.weight)[e] = factor * gain->base[k][e];
            else
                ((float *)v.weight)[e] = (float)(factor * gain->base[k][e]);
        }
        for (int64_t e = 0; e < v.n_tied; e++) {
            double w = factor * gain->base[k][v.n_edges + e];
            v.tied[e] = v.weight_type == LW_F64 ? w : (double)(float)w;
        }
    }
}

void lw_weight_gain_destroy(lw_weight_gain **gain) {
    lw_weight_gain *g = *gain;
    if (!g) return;
    for (int32_t k = 0; g->base && k < lw_net_n_proj(g->net); k++)
        lw_free(g->base[k]);
    lw_free(g->base);
    lw_free(g->proj);
    lw_free(g);
    *gain = NULL;
}

/* ---- the search */

typedef struct search {
    const lw_gain_target *target;
    lw_gain_found *best;
} search;

static lw_err look(search *s, double log2_gain, double *value) {
    const lw_gain_target *t = s->target;
    LW_TRY(t->measure(t->payload, log2_gain, value));
    s->best->trials++;
    if (s->best->trials == 1 || fabs(*value - t->value) < fabs(s->best->value - t->value)) {
        s->best->value = *value;
        s->best->log2_gain = log2_gain;
    }
    s->best->reached = fabs(s->best->value - t->value) <= t->tolerance;
    return LW_OK;
}

static bool is_over(const search *s) {
    return s->best->reached || s->best->trials >= s->target->trials;
}

lw_err lw_gain_search(const lw_gain_target *target, double start, lw_gain_found *out) {
    enum { FARTHEST = 20 }; /* factors of two from the start */
    search s = {target, out};
    double value, step = 0.5, near = start, far = start;
    *out = (lw_gain_found){0};
    LW_TRY(look(&s, start, &value));
    out->first = value;
    double side = value < target->value ? 1 : -1;
    while (!is_over(&s)) { /* farther and farther, until the other side is seen */
        far = near + side * step;
        if (fabs(far - start) > FARTHEST) return LW_OK;
        LW_TRY(look(&s, far, &value));
        if ((value < target->value ? 1 : -1) != side) break;
        near = far;
        step *= 2;
    }
    while (!is_over(&s)) {
        double middle = (near + far) / 2;
        LW_TRY(look(&s, middle, &value));
        *((value < target->value ? 1 : -1) == side ? &near : &far) = middle;
    }
    return LW_OK;
}
