/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One batch through the network and back. Every replica runs its own lanes; the loss of a batch is the mean over what
 * counts in the batch of all replicas, so the counts are summed before the sweep back and the replicas' gradients only
 * have to be added. Absent lanes (the last batch of an epoch) are fed zeros and carry no label: they add exactly zero
 * everywhere.
 */
#include <math.h>
#include "pass.h"
#include "prefetch.h"

static lw_err data_check(const lw_batch_source *data, const lw_train_spec *spec, int64_t n_steps) {
    LW_CHECK(data->n_samples >= 1 && data->n_steps >= 1, LW_EUSE,
        "the data hold %lld samples of %lld steps, at least 1 of each is needed", (long long)data->n_samples,
        (long long)data->n_steps);
    LW_CHECK(n_steps >= 1 && n_steps <= data->n_steps, LW_EUSE, "%lld steps asked, allowed are 1 to %lld",
        (long long)n_steps, (long long)data->n_steps);
    LW_CHECK(data->n_classes > 0 || data->n_targets > 0, LW_EUSE, "the data hold neither classes nor targets");
    LW_TRY(loss_check(&spec->loss, data));
    LW_CHECK(data->n_classes == 0 || spec->loss.unlabelled < data->n_classes, LW_EUSE,
        "unlabelled is class %d, allowed are -1 to %d", spec->loss.unlabelled, data->n_classes - 1);
    LW_CHECK(data->n_classes == 0 || spec->loss.unlabelled >= -1, LW_EUSE,
        "unlabelled is class %d, allowed are -1 to %d", spec->loss.unlabelled, data->n_classes - 1);
    return LW_OK;
}

static lw_err spec_check(const lw_grid *grid, const lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_steps, int n_shares) {
    int n_pop = lw_net_n_pop(net);
    const lw_loss *loss = &spec->loss;
    LW_CHECK(lw_comm_size(lw_net_comm(net)) == grid->parts, LW_EUSE,
        "the network lives on %d ranks but a replica has %d", lw_comm_size(lw_net_comm(net)), grid->parts);
    int64_t least = (int64_t)grid->replicas * n_shares * (spec->lanes > 0 ? spec->lanes : 1);
    LW_CHECK(spec->batch >= 1 && spec->lanes >= 0 && spec->batch % least == 0, LW_EUSE,
        "batch is %d, allowed are multiples of %lld (%d replicas, %d threads, pieces of %d samples)", spec->batch,
        (long long)least, grid->replicas, n_shares, spec->lanes > 0 ? spec->lanes : 1);
    LW_CHECK(spec->window >= 0, LW_EUSE, "truncate is %lld steps, allowed are numbers from 0 (not truncated)",
        (long long)spec->window);
    LW_CHECK(spec->stride >= 0 && spec->stride <= spec->window, LW_EUSE,
        "truncate has the stride %lld, allowed are 1 to the window of %lld steps", (long long)spec->stride,
        (long long)spec->window);
    LW_CHECK(spec->memory >= 0, LW_EUSE, "memory is %lld bytes, allowed are numbers from 0 (no limit)",
        (long long)spec->memory);
    LW_CHECK(loss->pop >= 0 && loss->pop < n_pop, LW_EUSE, "read-out population is number %d, allowed are 0 to %d",
        loss->pop, n_pop - 1);
    LW_CHECK(spec->input_pop >= 0 && spec->input_pop < n_pop, LW_EUSE,
        "input population is number %d, allowed are 0 to %d", spec->input_pop, n_pop - 1);
    LW_CHECK(loss->skip >= 0 && loss->skip < n_steps, LW_EUSE, "skip is %lld, allowed are 0 to %lld (of %lld steps)",
        (long long)loss->skip, (long long)n_steps - 1, (long long)n_steps);
    LW_CHECK(spec->burn_in >= 0 && spec->burn_in < n_steps, LW_EUSE,
        "burn_in is %lld, allowed are 0 to %lld (of %lld steps)", (long long)spec->burn_in, (long long)n_steps - 1,
        (long long)n_steps);
    LW_CHECK(loss->label_smoothing >= 0 && loss->label_smoothing < 1, LW_EUSE,
        "label_smoothing is %g, allowed are 0 to below 1", loss->label_smoothing);
    LW_TRY(data_check(data, spec, n_steps));
    lw_pop_view in = lw_net_pop(net, spec->input_pop), out = lw_net_pop(net, loss->pop);
    bool times = loss->kind == LW_LOSS_VAN_ROSSUM || loss->readout == LW_READOUT_FIRST_SPIKE;
    LW_CHECK(!times || out.model->emits_spikes, LW_EUSE,
        "%s wants spikes but the model %s of the read-out population %s is graded; allowed are models that spike",
        loss->kind == LW_LOSS_VAN_ROSSUM ? "the loss van_rossum" : "the read-out first_spike", out.model->name,
        out.name);
    LW_CHECK(loss->every < 2 || loss->every <= n_steps - loss->skip, LW_EUSE,
        "every is %lld, allowed are 1 to %lld (of %lld steps, %lld skipped)", (long long)loss->every,
        (long long)(n_steps - loss->skip), (long long)n_steps, (long long)loss->skip);
    int32_t wanted = data->n_classes > 0 ? data->n_classes : data->n_targets;
    LW_CHECK(out.size == wanted, LW_EUSE, "read-out population %s has %lld neurons but the data have %d %s", out.name,
        (long long)out.size, wanted, data->n_classes > 0 ? "classes" : "targets");
    LW_CHECK(in.size == data->n_channels, LW_EUSE, "input population %s has %lld neurons but the data have %d channels",
        in.name, (long long)in.size, data->n_channels);
    LW_CHECK(spec->input_port >= 0 && spec->input_port < in.model->n_input, LW_EUSE,
        "input port is %d, allowed are 0 to %d of model %s", spec->input_port, in.model->n_input - 1, in.model->name);
    return LW_OK;
}

static lw_err method_check(const lw_train_spec *spec, const lw_theta *theta) {
    if (spec->gradient == LW_GRADIENT_FORWARD) return forward_check(spec, theta);
    if (spec->gradient == LW_GRADIENT_BPTT) return LW_OK;
    LW_CHECK(spec->window == 0 && spec->memory == 0, LW_EUSE,
        "the gradient method eprop was asked for with truncate or memory, allowed is bptt: traces go on through all "
        "steps and keep no record of them");
    LW_CHECK(spec->feedback_scale >= 0, LW_EUSE, "the scale of the feedback is %g, allowed are numbers from 0",
        spec->feedback_scale);
    LW_CHECK(spec->feedback_decay >= 0 && spec->feedback_decay < 1, LW_EUSE,
        "the decay of the feedback is %g, allowed are 0 to below 1", spec->feedback_decay);
    return LW_OK;
}

/* Traces of the neurons instead of a record of all steps. Collective over the partition. */
static lw_err eprop_create(pass *p, const uint8_t *keep, const lw_theta *theta) {
    enum { CHUNK = 32 };
    lw_eprop_spec spec = {.readout = p->spec.loss.pop,
        .feedback = p->spec.feedback,
        .scale = p->spec.feedback_scale,
        .seed = p->spec.seed};
    LW_TRY(lw_tape_create_rolling(p->sim, p->n_steps, CHUNK, keep, theta, &p->tape));
    return lw_eprop_create(p->tape, theta, &spec, &p->eprop);
}

/* The longest segments whose tape stays within the budget: as few states between them as can be, and only the last one
 * is not run again, so nothing else makes a difference. Collective over the partition. */
static lw_err tape_create(pass *p, const lw_theta *theta) {
    const lw_train_spec *spec = &p->spec;
    int64_t budget = spec->memory / p->n_shares, segment = p->n_steps, least = INT64_MAX, bytes = 0;
    int n_pop = lw_net_n_pop(p->net);
    uint8_t *keep = NULL;
    lw_err err = lw_alloc((size_t)n_pop, 1, "populations", &keep);
    LW_TRY_TO(lw_comm_agree(p->grid->part, err), done);
    bool watched = rates_watch(p->rates, p->sim);
    for (int q = 0; q < n_pop; q++) /* what loss and rates read; an evaluation counts events of all */
        keep[q] = !theta || q == spec->loss.pop || lw_net_pop(p->net, q).model->emits_spikes;
    if (theta && watched && spec->gradient != LW_GRADIENT_BPTT) {
        err = LW_FAIL(
            LW_EUSE, "a penalty on states was asked for with the gradient method eprop or forward, allowed is bptt");
        goto done;
    }
    if (theta && spec->gradient == LW_GRADIENT_EPROP) {
        err = eprop_create(p, keep, theta);
        goto done;
    }
    for (int64_t parts = 1; spec->memory > 0; parts += parts / 8 + 1) {
        segment = (p->n_steps + parts - 1) / parts;
        bytes = lw_tape_bytes_segments(p->sim, p->n_steps, segment, keep, theta);
        lw_comm_max_i64(p->grid->part, &bytes, 1);
        if (bytes < least) least = bytes;
        if (bytes <= budget || segment == 1) break;
    }
    if (bytes > budget) {
        err = LW_FAIL(LW_EUSE, "memory is %.4g MB, a tape of %lld steps needs at least %.4g MB in each process",
            (double)spec->memory / 1e6, (long long)p->n_steps, (double)least * p->n_shares / 1e6);
        goto done;
    }
    if (segment < p->n_steps && p->share == 0)
        lw_log(LW_LOG_INFO, "recorded in segments of %lld of %lld steps, %.4g MB", (long long)segment,
            (long long)p->n_steps, (double)bytes * p->n_shares / 1e6);
    err = lw_tape_create_segments(p->sim, p->n_steps, segment, keep, theta, &p->tape);
    if (err == LW_OK && watched) lw_tape_listen(p->tape, p->rates, rates_hear);
done:
    lw_free(keep);
    return err;
}

lw_err pass_create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    const lw_theta *theta, int64_t n_steps, bool smooth, pass **team, int share, int n_shares) {
    pass *p = NULL;
    lw_sim_options options = lw_sim_options_default();
    lw_err err = spec_check(grid, net, spec, data, n_steps, n_shares);
    if (err == LW_OK && theta) err = method_check(spec, theta);
    team[share] = NULL;
    if (err != LW_OK) goto agree;
    LW_TRY_TO(lw_alloc(1, sizeof *p, "a training pass", &p), agree);
    p->grid = grid;
    p->net = net;
    p->theta = theta;
    p->spec = *spec;
    p->spec.loss.penalty = NULL; /* borrowed by rates_create only */
    p->spec.loss.n_penalties = 0;
    p->n_steps = n_steps;
    p->share = share;
    p->n_shares = n_shares;
    p->width = spec->lanes > 0 ? spec->lanes : spec->batch / grid->replicas / n_shares;
    p->n_pieces = spec->batch / grid->replicas / n_shares / p->width;
    LW_TRY_TO(lw_alloc((size_t)(p->n_pieces * p->width), sizeof *p->sample, "sample numbers", &p->sample), agree);
    LW_TRY_TO(lw_alloc((size_t)p->n_pieces, sizeof(batch *), "pieces of a batch", &p->piece), agree);
    for (int64_t k = 0; k < p->n_pieces; k++) {
        LW_TRY_TO(batch_create(data, n_steps, p->width, &p->piece[k]), agree);
        if (grid->parts > 1 && !spec->prefetch) p->piece[k]->part = grid->part; /* a thread that reads must not speak */
    }
    pass_pick(p, 0);
    LW_TRY_TO(loss_create(&spec->loss, grid->part, net, n_steps, p->width, spec->precision, &p->loss), agree);
    LW_TRY_TO(rates_create(&spec->loss, net, n_steps, p->width, spec->precision, &p->rates), agree);
agree:
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    options.no_checksum = true;
    options.precision = spec->precision;
    options.adjoint_bf16 = spec->mixed;
    options.crossover = spec->crossover;
    options.width = (int32_t)p->width;
    options.surrogate = spec->surrogate;
    options.smooth = smooth;
    options.reset_detached = spec->reset_detached && !smooth;
    options.copies_of = share > 0 ? team[0]->sim : NULL;
    if (share == 0 && theta && spec->gradient == LW_GRADIENT_BPTT) options.copies_with = grid->peers;
    err = lw_sim_create(net, &options, &p->sim);
    if (err == LW_OK) err = tape_create(p, theta);
    if (err == LW_OK)
        err = lw_sim_feed(p->sim, spec->input_pop, spec->input_port, p->batch->x, n_steps, data->n_channels);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    team[share] = p;
    return LW_OK;
failed:
    pass_destroy(&p);
    return err;
}

void pass_destroy(pass **p) {
    if (!*p) return;
    prefetch_destroy(&(*p)->ahead);
    pass_crew_destroy(&(*p)->crew);
    lw_eprop_destroy(&(*p)->eprop);
    lw_tape_destroy(&(*p)->tape);
    lw_sim_destroy(&(*p)->sim);
    rates_destroy(&(*p)->rates);
    loss_destroy(&(*p)->loss);
    for (int64_t k = 0; (*p)->piece && k < (*p)->n_pieces; k++)
        batch_destroy(&(*p)->piece[k]);
    lw_free((*p)->piece);
    lw_free((*p)->sample);
    lw_free(*p);
    *p = NULL;
}

void pass_pick(pass *p, int64_t k) {
    p->batch = p->piece[k];
    p->k = k;
}

lw_err pass_load(pass *const *team, int n) {
    double count[2] = {0, 0};
    lw_err err = LW_OK;
    bool read = team[0]->ahead && prefetch_take(team[0]->ahead, team, &err);
    for (int i = 0; i < n; i++) {
        pass *p = team[i];
        for (int64_t k = 0; k < p->n_pieces && err == LW_OK; k++) {
            if (!read) err = batch_load(p->piece[k], p->sample + k * p->width);
            if (err != LW_OK) break;
            count[0] += loss_count(p->loss, p->piece[k]);
            count[1] += (double)p->piece[k]->n_present;
        }
    }
    LW_TRY(lw_comm_agree(team[0]->grid->world, err));
    lw_comm_sum_f64(team[0]->grid->peers, count, 2);
    for (int i = 0; i < n; i++) {
        team[i]->counted = count[0];
        team[i]->samples = count[1];
    }
    return LW_OK;
}

lw_err pass_forward(pass *p, bool derive, pass_tally *tally) {
    const lw_batch_source *data = p->batch->source;
    lw_sim_reset(p->sim);
    lw_sim_dropout_draw(p->sim, p->epoch, derive ? p->sample + p->k * p->width : NULL);
    LW_TRY(lw_sim_feed(p->sim, p->spec.input_pop, p->spec.input_port, p->batch->x, p->n_steps, data->n_channels));
    rates_begin(p->rates, p->batch);
    LW_TRY(lw_tape_forward(p->tape, p->n_steps));
    /* a batch without anything that counts has loss 0 and derivative 0, whatever the scale */
    loss_read(p->loss, p->batch, p->tape);
    loss_evaluate(p->loss, p->batch, derive ? 1 / fmax(p->counted, 1) : 0, &tally->loss);
    rates_evaluate(p->rates, p->tape, 1 / fmax(p->samples, 1), &tally->spikes, &tally->penalty);
    tally->samples += (double)p->batch->n_present;
    return LW_OK;
}

bool pass_seed(void *payload, int pop, int64_t t, void *out_adj) {
    const pass *p = payload;
    bool added = rates_seed(p->rates, pop, t, out_adj);
    if (pop == p->spec.loss.pop) added = loss_seed(p->loss, t, out_adj) || added;
    return added;
}

void pass_seed_state(void *payload, int pop, int64_t t, int state, void *state_adj) {
    const pass *p = payload;
    rates_seed_state(p->rates, p->tape, pop, t, state, state_adj);
}

static lw_tape_seed seed_of(pass *p) {
    return (lw_tape_seed){.payload = p,
        .seed = pass_seed,
        .state = pass_seed_state,
        .first = p->spec.burn_in,
        .window = p->spec.window,
        .stride = p->spec.stride};
}

/* The sequence once more, with traces: what the read-out is told at a step is known from the first time. */
static lw_err eprop_gradient(pass *p, double *grad) {
    lw_tape_seed seed = seed_of(p);
    lw_sim_reset(p->sim);
    LW_TRY(lw_sim_feed(
        p->sim, p->spec.input_pop, p->spec.input_port, p->batch->x, p->n_steps, p->batch->source->n_channels));
    lw_eprop_part(p->eprop, pow(1 - p->spec.feedback_decay, (double)p->updates));
    return lw_eprop_run(p->eprop, p->n_steps, &seed, grad);
}

lw_err pass_backward(pass *p, double *grad) {
    lw_tape_seed seed = seed_of(p);
    if (p->eprop) return eprop_gradient(p, grad);
    if (p->spec.gradient == LW_GRADIENT_FORWARD) return forward_gradient(p, p->theta, grad);
    return lw_tape_backward(p->tape, &seed, grad, NULL);
}

/* A block of the gradient is complete. */
static void block_ready(void *payload, int block) {
    pass *p = payload;
    const lw_theta_block *b = &p->pool_theta->block[block];
    lw_pool_ready(p->pool, b->offset, b->count);
    p->n_ready++;
}

lw_err pass_backward_sum(pass *p, const lw_theta *theta, lw_pool *pool) {
    lw_tape_seed seed = seed_of(p);
    bool swept = p->spec.gradient == LW_GRADIENT_BPTT;
    seed.ready = block_ready;
    p->pool_theta = theta;
    p->pool = pool;
    p->n_ready = 0;
    lw_err err =
        swept ? lw_tape_backward(p->tape, &seed, lw_pool_mine(pool), NULL) : pass_backward(p, lw_pool_mine(pool));
    for (int32_t b = 0; err == LW_OK && !swept && b < theta->n_blocks; b++)
        block_ready(p, b);
    if (err != LW_OK && p->n_ready > 0) lw_comm_abort(p->grid->world, 1); /* others already wait for it */
    LW_TRY(lw_comm_agree(p->grid->world, err));
    LW_ASSERT(p->n_ready == theta->n_blocks);
    return LW_OK;
}

void pass_tally_sum(const lw_grid *grid, pass_tally *tally) {
    lw_comm_sum_f64(grid->part, &tally->spikes, PASS_TALLY_LOCAL);
    lw_comm_sum_f64(grid->peers, (double *)tally, PASS_TALLY_SIZE);
}

void pass_exact_sum(const lw_grid *grid, int64_t *sum, pass_tally *tally) {
    enum { LOCAL = PASS_TALLY_SIZE - PASS_TALLY_LOCAL };
    lw_comm_sum_i64(grid->part, sum + (size_t)LW_EXACT_WORDS * LOCAL, LW_EXACT_WORDS * PASS_TALLY_LOCAL);
    lw_comm_sum_i64(grid->peers, sum, LW_EXACT_WORDS * PASS_TALLY_SIZE);
    lw_exact_get(PASS_TALLY_SIZE, sum, (double *)tally);
}

double pass_tally_loss(const pass_tally *tally) {
    return tally->loss.loss / fmax(tally->loss.counted, 1) + tally->penalty / fmax(tally->samples, 1);
}

double pass_tally_accuracy(const pass *p, const pass_tally *tally) {
    return p->batch->target ? NAN : tally->loss.correct / fmax(tally->loss.counted, 1);
}

double pass_tally_rmse(const pass *p, const pass_tally *tally) {
    return p->batch->target ? sqrt(tally->loss.sq / fmax(tally->loss.counted, 1)) : NAN;
}

double pass_tally_rate(const pass *p, double spikes, double samples) {
    double neurons = (double)p->rates->n_spiking;
    return neurons > 0 && samples > 0 ? 1000 * spikes / (neurons * samples * p->rates->duration) : 0;
}
