/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Evaluation of a network on a data set, and its synaptic operations. An operation is one emitted value other than zero
 * arriving at one synapse: sum over sources of events x fan-out, listed by kind of synapse (LNP.md 3.2).
 */
#include <string.h>
#include "pass.h"

/* Kinds of synapse. Input: out of a graded input population (a relay of the data). Where the data go into a spiking
 * population directly, every data value other than zero is an event with fan-out 1, and that population's synapses are
 * recurrent ones. */
enum { SOPS_RECURRENT, SOPS_INPUT, SOPS_READOUT, SOPS_KINDS };

typedef struct sops {
    int64_t n_local;          /* neurons of this rank */
    int64_t *fan[SOPS_KINDS]; /* [n_local] synapses of this kind that leave the neuron, anywhere */
    int64_t **events;         /* [n_team][n_local] emitted values other than zero, by lid */
    int64_t *input_events;    /* [n_team] data values other than zero fed into a spiking population */
    int n_team;
    bool direct; /* the input population spikes */
} sops;

static void sops_destroy(sops *s) {
    for (int k = 0; k < SOPS_KINDS; k++)
        lw_free(s->fan[k]);
    for (int i = 0; s->events && i < s->n_team; i++)
        lw_free(s->events[i]);
    lw_free(s->events);
    lw_free(s->input_events);
}

static int sops_kind(const lw_train_spec *spec, const lw_proj_view *proj, bool direct) {
    if (proj->post == spec->loss.pop) return SOPS_READOUT;
    return proj->pre == spec->input_pop && !direct ? SOPS_INPUT : SOPS_RECURRENT;
}

/* Synapses of each source of a projection that end on this rank, by index within the population. */
static void fan_local(const lw_net *net, int proj, int64_t *fan) {
    lw_proj_view v = lw_net_proj(net, proj);
    lw_pop_view pre = lw_net_pop(net, v.pre), post = lw_net_pop(net, v.post);
    lw_slot_view slots = lw_net_slots(net);
    lw_run run;
    for (lw_run_walk w = lw_net_runs(net, proj, 0, post.n_local); lw_run_next(&w, &run);)
        fan[slots.gid[pre.slot_begin + run.row] - pre.gid_begin] += run.n;
}

static lw_err events_room(sops *s) {
    LW_TRY(lw_alloc((size_t)s->n_team, sizeof *s->events, "event counts", &s->events));
    LW_TRY(lw_alloc((size_t)s->n_team, sizeof *s->input_events, "event counts", &s->input_events));
    for (int i = 0; i < s->n_team; i++)
        LW_TRY(lw_alloc((size_t)s->n_local, sizeof(int64_t), "event counts", &s->events[i]));
    return LW_OK;
}

/* Collective over the partition. */
static lw_err sops_create(const lw_grid *grid, const lw_net *net, const lw_train_spec *spec, int n_team, sops *s) {
    int64_t *fan = NULL, largest = 0;
    lw_err err = LW_OK;
    s->n_team = n_team;
    s->n_local = lw_net_n_local(net);
    s->direct = lw_net_pop(net, spec->input_pop).model->emits_spikes;
    for (int k = 0; k < SOPS_KINDS && err == LW_OK; k++)
        err = lw_alloc((size_t)s->n_local, sizeof *s->fan[k], "fan-outs", &s->fan[k]);
    if (err == LW_OK) err = events_room(s);
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        int64_t size = lw_net_pop(net, p).size;
        if (size > largest) largest = size;
    }
    if (err == LW_OK) err = lw_alloc((size_t)largest, sizeof *fan, "fan-outs", &fan);
    LW_TRY_TO(lw_comm_agree(grid->world, err), done);
    for (int i = 0; i < lw_net_n_proj(net); i++) {
        lw_proj_view proj = lw_net_proj(net, i);
        lw_pop_view pre = lw_net_pop(net, proj.pre);
        int64_t *to = s->fan[sops_kind(spec, &proj, s->direct)];
        memset(fan, 0, (size_t)pre.size * sizeof *fan);
        fan_local(net, i, fan);
        lw_comm_sum_i64(grid->part, fan, pre.size);
        for (int64_t n = 0; n < pre.n_local; n++)
            to[pre.lid_begin + n] += fan[pre.gid[n] - pre.gid_begin];
    }
done:
    lw_free(fan);
    return err;
}

/* count[i * step] += what is not 0 in row i of `lanes` lanes, stride apart, that carry a sample: counted without a
 * branch and in numbers as wide as those looked at, so that vectors do it. */
static void nonzero_f32(int64_t n, int64_t lanes, int64_t stride, const float *restrict x,
    const int32_t *restrict present, int64_t *restrict count, int64_t step) {
    for (int64_t i = 0; i < n; i++) {
        int32_t here = 0;
        for (int64_t l = 0; l < lanes; l++)
            here += x[i * stride + l] != 0 ? present[l] : 0;
        count[i * step] += here;
    }
}

static void nonzero_f64(int64_t n, int64_t lanes, int64_t stride, const double *restrict x,
    const int32_t *restrict present, int64_t *restrict count, int64_t step) {
    for (int64_t i = 0; i < n; i++) {
        int32_t here = 0;
        for (int64_t l = 0; l < lanes; l++)
            here += x[i * stride + l] != 0 ? present[l] : 0;
        count[i * step] += here;
    }
}

/* The same for the lanes [first, first + lanes) of a piece that just ran. */
static void sops_lanes(sops *s, const pass *p, int64_t first, int64_t lanes, const int32_t *present) {
    int64_t *events = s->events[p->share], L = p->width;
    for (int q = 0; q < lw_net_n_pop(p->net); q++) {
        lw_pop_view pop = lw_net_pop(p->net, q);
        int64_t *to = events + pop.lid_begin;
        for (int64_t t = 0; t < p->n_steps && pop.n_local > 0; t++) {
            const void *out = lw_tape_output(p->tape, q, t);
            if (p->spec.precision == LW_F32)
                nonzero_f32(pop.n_local, lanes, L, (const float *)out + first, present, to, 1);
            else
                nonzero_f64(pop.n_local, lanes, L, (const double *)out + first, present, to, 1);
        }
    }
    if (!s->direct || p->grid->part_index != 0) return; /* every rank of a partition holds the same data */
    int64_t rows = p->n_steps * p->batch->source->n_channels;
    nonzero_f32(rows, lanes, L, p->batch->x + first, present, &s->input_events[p->share], 0);
}

/* Count the events of a piece that just ran. Called by each thread for its own counters. */
static void sops_visit(void *payload, const pass *p) {
    enum { LANES = 64 };
    int32_t present[LANES];
    for (int64_t first = 0; first < p->width; first += LANES) {
        int64_t lanes = p->width - first < LANES ? p->width - first : LANES;
        for (int64_t l = 0; l < lanes; l++)
            present[l] = p->batch->present[first + l];
        sops_lanes(payload, p, first, lanes, present);
    }
}

/* Collective over the world. */
static void sops_sum(const lw_grid *grid, const sops *s, double samples, lw_evaluation *out) {
    double total[SOPS_KINDS] = {0};
    for (int t = 0; t < s->n_team; t++) {
        for (int k = 0; k < SOPS_KINDS; k++)
            for (int64_t i = 0; i < s->n_local; i++)
                total[k] += (double)(s->events[t][i] * s->fan[k][i]);
        total[SOPS_INPUT] += (double)s->input_events[t];
    }
    lw_comm_sum_f64(grid->world, total, SOPS_KINDS);
    out->sops_recurrent = total[SOPS_RECURRENT] / samples;
    out->sops_input = total[SOPS_INPUT] / samples;
    out->sops_readout = total[SOPS_READOUT] / samples;
}

/* Threads share the samples of a batch as in training, where that can be divided among them. */
static int team_size(const lw_grid *grid, const lw_train_spec *spec) {
    int64_t least = (int64_t)grid->replicas * spec->threads * (spec->lanes > 0 ? spec->lanes : 1);
    return spec->threads > 1 && grid->parts == 1 && spec->batch % least == 0 ? spec->threads : 1;
}

/* The passes, each with a table of its own. Collective over the world. */
static lw_err team_create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t cells, int n_team, pass ***out) {
    pass **team = NULL;
    lw_err err = lw_alloc((size_t)n_team, sizeof *team, "passes", out);
    LW_TRY(lw_comm_agree(grid->world, err));
    team = *out;
    for (int i = 0; i < n_team; i++) {
        LW_TRY(pass_create(grid, net, spec, data, NULL, data->n_steps, false, team, i, n_team));
        if (cells > 0) err = lw_alloc((size_t)cells, sizeof(double), "the confusion matrix", &team[i]->loss->confusion);
        LW_TRY(lw_comm_agree(grid->world, err));
    }
    return LW_OK;
}

static void team_destroy(pass **team, int n_team) {
    for (int i = 0; team && i < n_team; i++) {
        if (team[i]) lw_free(team[i]->loss->confusion);
        pass_destroy(&team[i]);
    }
    lw_free(team);
}

lw_err lw_evaluate(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    const lw_watch *watch, lw_evaluation *out) {
    pass **team = NULL, *p;
    sops s = {0};
    pass_tally tally;
    double start = lw_time_now();
    lw_train_spec fit = *spec;
    if (fit.lanes > 0 && fit.batch % ((int64_t)grid->replicas * fit.lanes) != 0) fit.lanes = 0;
    int n_team = team_size(grid, &fit);
    int64_t cells = (int64_t)data->n_classes * data->n_classes;
    *out = (lw_evaluation){0};
    lw_err err = team_create(grid, net, &fit, data, cells, n_team, &team);
    LW_TRY_TO(err, done);
    LW_TRY_TO(sops_create(grid, net, spec, n_team, &s), done);
    LW_TRY_TO(pass_measure(team, n_team, NULL, data->n_samples, "evaluate", watch, sops_visit, &s, &tally), done);
    p = team[0];
    if (cells > 0) {
        out->confusion = p->loss->confusion;
        p->loss->confusion = NULL;
        for (int i = 1; i < n_team; i++)
            for (int64_t k = 0; k < cells; k++)
                out->confusion[k] += team[i]->loss->confusion[k];
        lw_comm_sum_f64(grid->peers, out->confusion, cells);
    }
    out->loss = pass_tally_loss(&tally);
    out->accuracy = pass_tally_accuracy(p, &tally);
    out->rmse = pass_tally_rmse(p, &tally);
    out->accuracy_labelled = cells == 0                ? out->accuracy
                             : tally.loss.labelled > 0 ? tally.loss.labelled_correct / tally.loss.labelled
                                                       : 0;
    out->samples = (int64_t)tally.samples;
    out->counted = (int64_t)tally.loss.counted;
    out->rate_hz = pass_tally_rate(p, tally.spikes, tally.samples);
    sops_sum(grid, &s, tally.samples, out);
    out->seconds = lw_time_now() - start;
done:
    sops_destroy(&s);
    team_destroy(team, n_team);
    if (err != LW_OK) lw_evaluation_free(out);
    return err;
}

void lw_evaluation_free(lw_evaluation *e) {
    lw_free(e->confusion);
    e->confusion = NULL;
}
