/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Step III of LNP, mode `ipr`: bring back dropped edges that spread the localised slow modes. For mode v of eigenvalue
 * mu, an edge of weight w from j to i changes the vector to first order by  dv = w v_j sum_l (conj(u_l)_i / (mu -
 * mu_l)) v_l  over the other modes l (left vectors u with u_l^H v_l = 1), and f = sum |v|^4 by  df = 4 Re sum_a
 * conj(h_a) dv_a,  h_a = (|v_a|^2 - f) v_a.  Edges are tried in order of df, in batches; a batch stays only when the
 * recomputed mean participation ratio falls and the spectral abscissa does not rise.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "delocalise.h"

enum { TRIALS = 24 }; /* eigenvalue problems solved at most; fewer above order 500 or so, see trials_most */

typedef struct candidate {
    double change;
    int64_t edge;
} candidate;

static int by_change(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->change != y->change) return x->change < y->change ? -1 : 1;
    return (x->edge > y->edge) - (x->edge < y->edge);
}

typedef struct space {
    double *v_re, *v_im, *x_re, *x_im, *h_re, *h_im, *g_re, *g_im; /* [n] each */
    double *room;
    double *trial;   /* [n,n] */
    candidate *list; /* [candidates] */
    eigen now, next;
} space;

static void space_free(space *s) {
    lw_free(s->room);
    lw_free(s->trial);
    lw_free(s->list);
    eigen_free(&s->now);
    eigen_free(&s->next);
}

static lw_err space_make(int64_t n, int64_t m, space *s) {
    LW_TRY(lw_alloc((size_t)(8 * n), sizeof(double), "modes", &s->room));
    double **part[] = {&s->v_re, &s->v_im, &s->x_re, &s->x_im, &s->h_re, &s->h_im, &s->g_re, &s->g_im};
    for (int i = 0; i < 8; i++)
        *part[i] = s->room + i * n;
    LW_TRY(lw_alloc((size_t)(n > 2 ? n * n : 2 * n), sizeof(double), "a trial matrix", &s->trial));
    return lw_alloc((size_t)m, sizeof *s->list, "candidate edges", &s->list);
}

/* g_i = sum over l of (h^H v_l) / (mu - mu_l) / (u_l^H v_l) conj(u_l)_i: df of an edge is 4 Re(w v_j g_i). */
static void response(space *s, int64_t mode) {
    const eigen *e = &s->now;
    int64_t n = e->n;
    double f = e->ipr[mode] / (double)n, norm = 0;
    eigen_vector(e, e->right, mode, s->v_re, s->v_im);
    for (int64_t a = 0; a < n; a++)
        norm += s->v_re[a] * s->v_re[a] + s->v_im[a] * s->v_im[a];
    for (int64_t a = 0; a < n; a++) {
        s->v_re[a] /= sqrt(norm);
        s->v_im[a] /= sqrt(norm);
        double weight = s->v_re[a] * s->v_re[a] + s->v_im[a] * s->v_im[a] - f;
        s->h_re[a] = weight * s->v_re[a];
        s->h_im[a] = weight * s->v_im[a];
        s->g_re[a] = s->g_im[a] = 0;
    }
    for (int64_t l = 0; l < n; l++) {
        double d_re = e->re[mode] - e->re[l], d_im = e->im[mode] - e->im[l], gap = d_re * d_re + d_im * d_im;
        double hv_re = 0, hv_im = 0, uv_re = 0, uv_im = 0;
        if (l == mode || gap < 1e-20 * (1 + e->re[mode] * e->re[mode] + e->im[mode] * e->im[mode])) continue;
        eigen_vector(e, e->right, l, s->x_re, s->x_im);
        for (int64_t a = 0; a < n; a++) {
            hv_re += s->h_re[a] * s->x_re[a] + s->h_im[a] * s->x_im[a];
            hv_im += s->h_re[a] * s->x_im[a] - s->h_im[a] * s->x_re[a];
        }
        double *u_re = s->trial, *u_im = s->trial + n; /* free until the trial is written */
        eigen_vector(e, e->left, l, u_re, u_im);
        for (int64_t a = 0; a < n; a++) {
            uv_re += u_re[a] * s->x_re[a] + u_im[a] * s->x_im[a];
            uv_im += u_re[a] * s->x_im[a] - u_im[a] * s->x_re[a];
        }
        /* c = hv / (d uv) */
        double b_re = d_re * uv_re - d_im * uv_im, b_im = d_re * uv_im + d_im * uv_re, b2 = b_re * b_re + b_im * b_im;
        if (b2 < 1e-24 * gap) continue; /* (nearly) defective: no first-order theory */
        double c_re = (hv_re * b_re + hv_im * b_im) / b2, c_im = (hv_im * b_re - hv_re * b_im) / b2;
        for (int64_t a = 0; a < n; a++) { /* c conj(u) */
            s->g_re[a] += c_re * u_re[a] + c_im * u_im[a];
            s->g_im[a] += c_im * u_re[a] - c_re * u_im[a];
        }
    }
}

static double first_order(const space *s, int64_t i, int64_t j, double w) {
    return 4 * w * (s->v_re[j] * s->g_re[i] - s->v_im[j] * s->g_im[i]);
}

lw_err delocalise_change(
    const eigen *e, int64_t mode, int64_t m, const int64_t *i, const int64_t *j, const double *w, double *change) {
    space s = {0};
    lw_err err = space_make(e->n, 0, &s);
    if (err == LW_OK) {
        s.now = *e;
        response(&s, mode);
        for (int64_t c = 0; c < m; c++)
            change[c] = first_order(&s, i[c], j[c], w[c]);
        memset(&s.now, 0, sizeof s.now); /* borrowed */
    }
    space_free(&s);
    return err;
}

/* Candidates of one mode: into its support from outside, lowering its ratio; best first. Returns their number. */
static int64_t rank_candidates(
    space *s, int64_t m, const int64_t *i, const int64_t *j, const double *w, const uint8_t *taken) {
    int64_t n = s->now.n, count = 0;
    for (int64_t e = 0; e < m; e++) {
        double in = s->v_re[i[e]] * s->v_re[i[e]] + s->v_im[i[e]] * s->v_im[i[e]];
        double out = s->v_re[j[e]] * s->v_re[j[e]] + s->v_im[j[e]] * s->v_im[j[e]];
        if (taken[e] || in * (double)n <= 1 || out * (double)n > 1) continue;
        double change = first_order(s, i[e], j[e], w[e]);
        if (change < 0) s->list[count++] = (candidate){change, e};
    }
    qsort(s->list, (size_t)count, sizeof *s->list, by_change);
    return count;
}

/* The slow mode of largest ratio not yet done; -1 when none is left. Conjugates count once. */
static int64_t next_mode(const eigen *e, int64_t slow, const uint8_t *done) {
    int64_t best = -1;
    for (int64_t k = 0; k < slow && k < e->n; k++) {
        int64_t mode = e->slow[k];
        if (!done[k] && e->im[mode] >= 0 && (best < 0 || e->ipr[mode] > e->ipr[e->slow[best]])) best = k;
    }
    return best;
}

/* About 25 n^3 operations each: a minute or two in all, but never less than four. */
static int trials_most(int64_t n) {
    double affordable = 4e11 / (25.0 * (double)n * (double)n * (double)n);
    return affordable > TRIALS ? TRIALS : affordable < 4 ? 4 : (int)affordable;
}

static lw_err run(space *s, int64_t n, double *a, int64_t m, const int64_t *i, const int64_t *j, const double *w,
    int64_t budget, int64_t slow, uint8_t *taken, uint8_t *done, int64_t *restored) {
    int trials = 0, most = trials_most(n);
    LW_TRY(eigen_make(n, a, true, &s->now));
    while (*restored < budget && trials < most) {
        int64_t k = next_mode(&s->now, slow, done);
        if (k < 0) break;
        response(s, s->now.slow[k]);
        int64_t count = rank_candidates(s, m, i, j, w, taken), batch = (budget + 3) / 4;
        bool moved = false;
        while (!moved && count > 0 && trials < most) {
            if (batch > budget - *restored) batch = budget - *restored;
            if (batch > count) batch = count;
            memcpy(s->trial, a, (size_t)(n * n) * sizeof(double));
            for (int64_t b = 0; b < batch; b++)
                s->trial[i[s->list[b].edge] * n + j[s->list[b].edge]] += w[s->list[b].edge];
            trials++;
            LW_TRY(eigen_make(n, s->trial, true, &s->next));
            lw_ipr before = eigen_ipr(&s->now, slow), after = eigen_ipr(&s->next, slow);
            moved = after.mean < before.mean && after.abscissa <= before.abscissa;
            if (moved) {
                for (int64_t b = 0; b < batch; b++)
                    taken[s->list[b].edge] = 1;
                *restored += batch;
                memcpy(a, s->trial, (size_t)(n * n) * sizeof(double));
                eigen swap = s->now;
                s->now = s->next;
                s->next = swap;
                memset(done, 0, (size_t)slow);
            }
            eigen_free(&s->next);
            if (batch == 1) break;
            batch /= 2;
        }
        if (!moved) done[k] = 1;
    }
    return LW_OK;
}

lw_err lw_delocalise(int64_t n, double *a, int64_t m, const int64_t *i, const int64_t *j, const double *w,
    int64_t budget, int64_t slow, uint8_t *taken, int64_t *restored) {
    space s = {0};
    uint8_t *done = NULL;
    *restored = 0;
    memset(taken, 0, (size_t)m);
    if (slow > n) slow = n;
    if (budget <= 0 || m == 0) return LW_OK;
    lw_err err = space_make(n, m, &s);
    if (err == LW_OK) err = lw_alloc((size_t)slow, 1, "mode flags", &done);
    if (err == LW_OK) err = run(&s, n, a, m, i, j, w, budget, slow, taken, done, restored);
    space_free(&s);
    lw_free(done);
    return err;
}
