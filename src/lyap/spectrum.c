/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The spectrum of a running network (Benettin et al. 1980; Geist, Parlitz & Lauterborn 1990):
 *
 *     transient   steps of the state alone
 *     warm-up     tangents are pushed and orthonormalised, nothing counts
 *     counted     the same, ln R_ii summed
 *
 * An interval is `every` steps of the tangent block and one QR. Intervals end at the end of the warm-up and of the run,
 * so that what counts is a whole number of them. Numbers from R go to summary.c; what needs Q (the neuron profile) is
 * summed here.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cblas.h>
#include "flush.h"
#include "qr.h"
#include "summary.h"

/* Automatic interval: halved when an interval spreads the directions more than WIDE, doubled after CALM intervals below
 * NARROW. */
static const double WIDE = 1e5, NARROW = 1e3;
enum { CALM = 20, LONGEST = 64, TICK = 16 };

typedef struct run {
    const lw_lyapunov_spec *spec;
    const lw_comm *comm;
    const lw_watch *watch;
    lw_sim *sim;
    lw_net *net;
    lw_tangent *tangent;
    lw_qr *qr;
    int64_t k, rows, n_local, warmup, every, total, done;
    int calm;
    int64_t *lid;    /* [rows] whose row this is; profile only */
    double *profile; /* [n_local, k] sums of ln R_ii Q_ji^2 */
    double *r_diag;  /* [k] */
    summary sums;
    double seconds_product, seconds_qr;
} run;

static lw_err spec_check(const lw_sim *sim, const lw_lyapunov_spec *spec) {
    const lw_sim_options *o = lw_sim_options_get(sim);
    LW_CHECK(o->width == 1 && o->precision == LW_F64, LW_EUSE,
        "a spectrum needs an engine of width 1 and double precision, this one has width %d and %s precision",
        (int)o->width, o->precision == LW_F64 ? "double" : "single");
    LW_CHECK(spec->steps >= 1 && spec->transient >= 0 && spec->warmup >= -1 && spec->every >= 0 && spec->k >= 0,
        LW_EUSE,
        "a spectrum of k %lld over %lld steps, transient %lld, warm-up %lld, interval %lld; steps must be at least 1, "
        "the others "
        "not negative",
        (long long)spec->k, (long long)spec->steps, (long long)spec->transient, (long long)spec->warmup,
        (long long)spec->every);
    return LW_OK;
}

/* The dimension, from a block of one column at the present state; the engine stays where it is. **Collective** */
static lw_err dimension_find(lw_sim *sim, int64_t *dimension) {
    lw_tangent *probe = NULL;
    LW_TRY(lw_tangent_create(sim, 1, true, &probe));
    *dimension = lw_tangent_rows_global(probe);
    lw_tangent_destroy(&probe);
    return LW_OK;
}

static int64_t lid_find(const lw_net *net, int64_t gid) {
    int64_t lo = 0, hi = lw_net_n_local(net) - 1;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (lw_net_gid(net, mid) < gid)
            lo = mid + 1;
        else
            hi = mid;
    }
    LW_ASSERT(lw_net_gid(net, lo) == gid);
    return lo;
}

/* A random start block is a function of (gid, state, column) alone, so every partition starts from the same directions.
 */
static void basis_fill(run *r) {
    double *block = lw_tangent_block(r->tangent);
    if (r->spec->basis) {
        memcpy(block, r->spec->basis, (size_t)(r->rows * r->k) * sizeof *block);
        return;
    }
    for (int64_t row = 0; row < r->rows; row++) {
        int64_t gid = 0;
        int32_t state = 0;
        lw_tangent_row_info(r->tangent, row, &gid, &state);
        for (int64_t c = 0; c < r->k; c++)
            block[row * r->k + c] =
                lw_rng_normal(r->spec->seed, LW_PURPOSE_BASIS, (uint64_t)gid ^ ((uint64_t)state << 48), (uint64_t)c, 0);
    }
}

static lw_err arrays_make(run *r) {
    LW_TRY(lw_alloc((size_t)r->k, sizeof(double), "a diagonal", &r->r_diag));
    LW_TRY(summary_make(r->k, r->spec->steps, r->spec->blocks, &r->sums));
    if (!r->spec->profile) return LW_OK;
    LW_TRY(lw_alloc((size_t)r->rows, sizeof *r->lid, "rows of neurons", &r->lid));
    LW_TRY(lw_alloc((size_t)(r->n_local * r->k), sizeof(double), "a neuron profile", &r->profile));
    for (int64_t row = 0; row < r->rows; row++) {
        int64_t gid = 0;
        int32_t state = 0;
        lw_tangent_row_info(r->tangent, row, &gid, &state);
        r->lid[row] = lid_find(r->net, gid);
    }
    return LW_OK;
}

static lw_err tick(run *r) {
    if (!r->watch || !r->watch->tick) return LW_OK;
    return r->watch->tick(r->watch->payload, "lyapunov", r->done, r->total);
}

static lw_err transient(run *r) {
    for (int64_t left = r->spec->transient; left > 0;) {
        int64_t now = left < 4 * TICK ? left : 4 * TICK;
        LW_TRY(lw_comm_agree(r->comm, lw_tangent_skip(r->tangent, now)));
        left -= now;
        r->done += now;
        LW_TRY(tick(r));
    }
    return LW_OK;
}

/* Columns that collapsed just now become zero and stay so: without this the QR would put a random direction in their
 * place, and what rounding made of it would pass for an exponent. */
static void collapsed_clear(run *r) {
    double *block = lw_tangent_block(r->tangent);
    if (r->sums.collapsed_new == 0) return;
    for (int64_t i = 0; i < r->k; i++)
        for (int64_t row = 0; r->sums.collapsed[i] && row < r->rows; row++)
            block[row * r->k + i] = 0;
}

static lw_err orthonormalise(run *r) {
    double start = lw_time_now();
    LW_TRY(qr_factor_alive(r->qr, lw_tangent_block(r->tangent), r->sums.collapsed, r->r_diag, NULL));
    summary_see(&r->sums, r->r_diag);
    collapsed_clear(r);
    LW_TRY(lw_comm_agree(r->comm, lw_tangent_refresh(r->tangent)));
    r->seconds_qr += lw_time_now() - start;
    return LW_OK;
}

static void profile_add(run *r) {
    const double *block = lw_tangent_block(r->tangent), *log_r = r->sums.log_r;
    for (int64_t row = 0; row < r->rows; row++) {
        const double *q = block + row * r->k;
        double *to = r->profile + r->lid[row] * r->k;
        for (int64_t i = 0; i < r->k; i++)
            to[i] += log_r[i] * q[i] * q[i];
    }
}

static void interval_adapt(run *r) {
    int64_t old = r->every;
    if (r->spec->every > 0) return;
    if (r->sums.spread > WIDE) {
        r->calm = 0;
        if (r->every > 1) r->every /= 2;
    } else if (r->sums.spread < NARROW && ++r->calm >= CALM && r->every < LONGEST) {
        r->calm = 0;
        r->every *= 2;
    }
    if (r->every != old)
        lw_log(LW_LOG_INFO, "lyapunov: spread %.2g, orthonormalised every %lld steps from step %lld on", r->sums.spread,
            (long long)r->every, (long long)lw_tangent_step_number(r->tangent));
}

static lw_err interval(run *r, int64_t span, bool counts) {
    double start = lw_time_now();
    for (int64_t i = 0; i < span; i++)
        LW_TRY(lw_comm_agree(r->comm, lw_tangent_step(r->tangent)));
    r->seconds_product += lw_time_now() - start;
    LW_TRY(orthonormalise(r));
    if (counts) {
        summary_count(&r->sums, span);
        if (r->profile) profile_add(r);
    }
    interval_adapt(r);
    int64_t before = r->done;
    r->done += span;
    return r->done / TICK > before / TICK || r->done == r->total ? tick(r) : LW_OK;
}

static lw_err phase(run *r, int64_t steps, bool counts) {
    for (int64_t left = steps; left > 0;) {
        int64_t span = r->every < left ? r->every : left;
        LW_TRY(interval(r, span, counts));
        left -= span;
    }
    return LW_OK;
}

static int64_t spiking_neurons(const lw_net *net) {
    int64_t n = 0;
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        if (pop.model->emits_spikes) n += pop.size;
    }
    return n;
}

static lw_err profile_finish(run *r, lw_lyapunov *out) {
    out->n_local = r->n_local;
    out->profile_partial = r->k < out->dimension;
    LW_TRY(lw_alloc((size_t)r->n_local, sizeof(double), "a neuron profile", &out->profile));
    for (int64_t j = 0; j < r->n_local; j++)
        for (int64_t i = 0; i < r->k; i++)
            if (!r->sums.collapsed[i]) out->profile[j] += r->profile[j * r->k + i] / (double)r->sums.time;
    return LW_OK;
}

static lw_err loop(run *r, lw_lyapunov *out) {
    basis_fill(r);
    LW_TRY(orthonormalise(r));
    r->seconds_qr = 0;
    r->sums.spread_max = 0;
    LW_TRY(phase(r, r->warmup, false));
    int64_t spikes = lw_sim_stats_get(r->sim).spikes;
    LW_TRY(phase(r, r->spec->steps, true));
    spikes = lw_sim_stats_get(r->sim).spikes - spikes;
    lw_comm_sum_i64(r->comm, &spikes, 1);
    int64_t neurons = spiking_neurons(r->net);
    if (neurons > 0) out->rate_hz = 1e3 * (double)spikes / ((double)neurons * (double)r->spec->steps * out->dt);
    lw_err err = summary_finish(&r->sums, out->dt, out);
    if (err == LW_OK && r->profile) err = profile_finish(r, out);
    out->every_last = r->every;
    out->qr = lw_qr_last(r->qr);
    out->seconds_product = r->seconds_product;
    out->seconds_qr = r->seconds_qr;
    return lw_comm_agree(r->comm, err);
}

static lw_err run_all(run *r, lw_lyapunov *out) {
    int64_t dimension = 0;
    LW_TRY(lw_comm_agree(r->comm, spec_check(r->sim, r->spec)));
    LW_TRY(dimension_find(r->sim, &dimension));
    r->k = r->spec->k == 0 ? dimension : r->spec->k;
    LW_CHECK(r->k <= dimension, LW_EUSE, "%lld exponents were asked for, the state has %lld dimensions",
        (long long)r->k, (long long)dimension);
    r->warmup = r->spec->warmup < 0 ? r->spec->steps / 10 : r->spec->warmup;
    r->total = r->spec->transient + r->warmup + r->spec->steps;
    r->every = r->spec->every > 0 ? r->spec->every : 1;
    LW_TRY(lw_tangent_create(r->sim, r->k, r->spec->at_cut, &r->tangent));
    LW_ASSERT(lw_tangent_rows_global(r->tangent) == dimension);
    r->rows = lw_tangent_rows(r->tangent);
    r->n_local = lw_net_n_local(r->net);
    out->k = r->k;
    out->dimension = dimension;
    out->steps = r->spec->steps;
    out->transient = r->spec->transient;
    out->warmup = r->warmup;
    out->dt = lw_net_dt(r->net);
    LW_TRY(lw_comm_agree(r->comm, arrays_make(r)));
    LW_TRY(lw_qr_create(r->comm, r->spec->qr, r->rows, r->k, &r->qr));
    LW_TRY(transient(r));
    return loop(r, out);
}

lw_err lw_lyapunov_run(lw_sim *sim, const lw_lyapunov_spec *spec, const lw_watch *watch, lw_lyapunov **out) {
    lw_net *net = lw_sim_net(sim);
    run r = {.spec = spec, .comm = lw_net_comm(net), .watch = watch, .sim = sim, .net = net};
    lw_lyapunov *l = NULL;
    *out = NULL;
    LW_TRY(lw_comm_agree(r.comm, lw_alloc(1, sizeof *l, "a spectrum", &l)));
    flush_state flushed =
        flush_on(); /* decaying tangents reach the subnormal range, where a step is twenty times slower */
    int threads = openblas_get_num_threads();
    openblas_set_num_threads(1); /* ranks are the parallelism here */
    lw_err err = run_all(&r, l);
    openblas_set_num_threads(threads);
    flush_off(flushed);
    lw_qr_destroy(&r.qr);
    lw_tangent_destroy(&r.tangent);
    summary_free(&r.sums);
    lw_free(r.r_diag);
    lw_free(r.lid);
    lw_free(r.profile);
    if (err != LW_OK) lw_lyapunov_destroy(&l);
    *out = l;
    return err;
}

void lw_lyapunov_destroy(lw_lyapunov **l) {
    if (!l || !*l) return;
    lw_free((*l)->exponent);
    lw_free((*l)->stderr_);
    lw_free((*l)->exponent_step);
    lw_free((*l)->trace);
    lw_free((*l)->trace_step);
    lw_free((*l)->ln_r_sum);
    lw_free((*l)->profile);
    lw_free(*l);
    *l = NULL;
}
