/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What absent ranks would have sent, for trials of one rank out of many. Their events stand as messages would bring
 * them: by sender, step, slot. One stream per exchange walks over all (sender, step, slot) at the largest rate and
 * keeps what the slot's own rate keeps, so the cost is that of the spikes.
 */
#include <math.h>
#include <string.h>
#include "absent.h"

struct engine_absent {
    const lw_sim *sim;
    const int32_t *pop; /* [slots] borrowed from the net */
    double *share;      /* [n_pop] of the largest probability */
    double most;        /* probability of a spike in a step, largest of all populations */
    lw_event *event;
    int64_t room;
};

lw_err engine_absent_create(const lw_sim *sim, const double *rate, engine_absent **out) {
    engine_absent *a = NULL;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *a, "spikes of absent ranks", &a));
    lw_err err = lw_alloc((size_t)sim->n_pop, sizeof *a->share, "spikes of absent ranks", &a->share);
    a->sim = sim;
    a->pop = lw_net_slots(sim->net).pop;
    for (int p = 0; p < sim->n_pop && err == LW_OK; p++) {
        a->share[p] = sim->pop[p].model->emits_spikes ? rate[p] * lw_net_dt(sim->net) : 0;
        if (!(a->share[p] >= 0 && a->share[p] <= 1))
            err = LW_FAIL(LW_EUSE, "population \"%s\": a rate of %g Hz; allowed: 0 to one spike per step, %g Hz",
                sim->pop[p].view.name, rate[p] * 1000, 1000 / lw_net_dt(sim->net));
        if (err == LW_OK && a->share[p] > a->most) a->most = a->share[p];
    }
    for (int p = 0; p < sim->n_pop && err == LW_OK && a->most > 0; p++)
        a->share[p] /= a->most;
    if (err != LW_OK) engine_absent_destroy(&a);
    *out = a;
    return err;
}

void engine_absent_destroy(engine_absent **absent) {
    engine_absent *a = *absent;
    if (!a) return;
    lw_free(a->share);
    lw_free(a->event);
    lw_free(a);
    *absent = NULL;
}

static void put(engine_absent *a, int64_t n, lw_event event) {
    if (n >= a->room) {
        int64_t room = n + n / 2 + 64;
        if (lw_grow(&a->event, (size_t)a->room, (size_t)room, sizeof *a->event, "spikes of absent ranks") != LW_OK)
            lw_comm_abort(lw_net_comm(a->sim->net), 1);
        a->room = room;
    }
    a->event[n] = event;
}

void engine_absent_add(engine_absent *a, const lw_halo *halo, const engine_tag *tag, const int64_t *slot, int64_t t0,
    int64_t t1, const lw_event **events, int64_t *n) {
    lw_halo_absent absent = lw_halo_absent_get(halo);
    int64_t steps = t1 - t0, all = absent.at ? absent.at[absent.n_ranks] * steps : 0, rank = 0;
    lw_stream s = lw_stream_start(lw_net_seed(a->sim->net), LW_PURPOSE_ABSENT, (uint64_t)t0, 0);
    double ln_silent = log1p(-fmin(a->most, 1 - 1e-12));
    int64_t kept = 0;
    for (; kept < *n; kept++)
        put(a, kept, (*events)[kept]);
    if (a->most > 0) {
        for (double next = floor(log(lw_stream_uniform(&s)) / ln_silent); next < (double)all;
             next += 1 + floor(log(lw_stream_uniform(&s)) / ln_silent)) {
            int64_t at = (int64_t)next;
            while (at >= absent.at[rank + 1] * steps)
                rank++;
            int64_t n_rank = absent.at[rank + 1] - absent.at[rank], in = at - absent.at[rank] * steps;
            uint32_t index = absent.slot[absent.at[rank] + in % n_rank];
            double share = a->share[a->pop[slot[index]]];
            if (share < 1 && lw_stream_uniform(&s) >= share) continue;
            put(a, kept++, (lw_event){.index = index, .tag = engine_tag_make(tag, (uint32_t)(in / n_rank), 0, 1)});
        }
    }
    *events = a->event;
    *n = kept;
}
