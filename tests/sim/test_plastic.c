/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plastic synapses: weights against sums over all pairs of spikes, written without traces; closed forms of single pairs
 * and of regular trains; equal bits on any number of ranks and threads, for any partition and any time of settling, and
 * when a run is taken apart and put together again.
 */
#include "plastic_net.h"
#include "world.h"

static lw_comm *self_of(void) {
    static lw_comm *self;
    if (!self) CHECK_OK(lw_comm_self(&self));
    return self;
}

enum { STDP_PARAMS = 7, MU_PLUS = 4, MU_MINUS = 5, W_MAX = 6, STEPS = 12000, SHORT = 1500 };
static const double DT = 0.1, TAU_PLUS = 16, TAU_MINUS = 24, LAMBDA = 0.02, ALPHA = 1.1, WMAX = 3;

static const double *stdp_param(double mu_plus, double mu_minus) {
    static double p[STDP_PARAMS];
    const double value[STDP_PARAMS] = {TAU_PLUS, TAU_MINUS, LAMBDA, ALPHA, mu_plus, mu_minus, WMAX};
    memcpy(p, value, sizeof p);
    return p;
}

/* ------------------------------------------------------------------ against all pairs */

/* Steps of the spikes of each neuron, from the recorder of one process. */
typedef struct trains {
    int64_t *step[NEURONS];
    int64_t n[NEURONS];
} trains;

static void trains_take(lw_sim *sim, trains *t) {
    const lw_spike *spikes = NULL;
    int64_t n = 0;
    lw_sim_spikes_take(sim, &spikes, &n);
    memset(t, 0, sizeof *t);
    for (int64_t i = 0; i < n; i++)
        t->n[spikes[i].gid]++;
    for (int i = 0; i < NEURONS; i++) {
        CHECK_OK(lw_alloc((size_t)t->n[i], sizeof *t->step[i], "trains", &t->step[i]));
        t->n[i] = 0;
    }
    for (int64_t i = 0; i < n; i++)
        t->step[spikes[i].gid][t->n[spikes[i].gid]++] = spikes[i].step;
}

static void trains_free(trains *t) {
    for (int i = 0; i < NEURONS; i++)
        lw_free(t->step[i]);
}

/* sum over events before `time` (inclusive: at it too) of exp(-(time - event) dt / tau); nearest: the last alone */
static double trace(
    const int64_t *step, int64_t n, int64_t shift, int64_t time, bool inclusive, double tau, bool nearest) {
    double sum = 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        int64_t event = step[i] + shift;
        if (event > time || (event == time && !inclusive)) continue;
        sum += exp(-(double)(time - event) * DT / tau);
        if (nearest) break;
    }
    return sum;
}

static double weight_by_pairs(const plastic_case *c, const trains *t, const lw_edge *e, double w, bool nearest) {
    const int64_t *pre = t->step[e->source], *post = t->step[e->target];
    int64_t at_pre = c->in_axon ? e->delay : 0, at_post = c->in_axon ? 0 : e->delay, i = 0, j = 0;
    int64_t end = c->in_axon ? STEPS - 1 : STEPS - e->delay; /* post spikes that were settled */
    const double mu_plus = c->param[MU_PLUS], mu_minus = c->param[MU_MINUS];
    for (;;) {
        bool has_pre = i < t->n[e->source] && pre[i] + e->delay < STEPS;
        bool has_post = j < t->n[e->target] && post[j] + at_post <= end;
        if (!has_pre && !has_post) return w;
        int64_t a = has_pre ? pre[i] + at_pre : INT64_MAX, b = has_post ? post[j] + at_post : INT64_MAX;
        if (b < a || (b == a && !c->in_axon)) {
            double x = trace(pre, i, at_pre, b, c->in_axon, TAU_PLUS, nearest);
            w += LAMBDA * WMAX * pow(1 - w / WMAX, mu_plus) * x;
            w = w > WMAX ? WMAX : w;
            j++;
        } else {
            double y = trace(post, j, at_post, a, false, TAU_MINUS, nearest);
            w -= LAMBDA * ALPHA * WMAX * pow(w / WMAX, mu_minus) * y;
            w = w < 0 ? 0 : w;
            i++;
        }
    }
}

static void against_pairs(plastic_case c, bool nearest) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_edge *before = NULL, *after = NULL;
    int64_t n = 0, changed = 0;
    trains t;
    CHECK_OK(plastic_net(self_of(), &c, &net));
    CHECK_OK(plastic_sim(net, &c, &sim));
    CHECK_OK(lw_sim_record_spikes(sim, 0));
    CHECK_OK(lw_net_edges(net, 0, &before, NULL, &n));
    CHECK_OK(lw_sim_advance(sim, STEPS, NULL));
    lw_sim_weights_settle(sim);
    CHECK_OK(lw_net_edges(net, 0, &after, NULL, &n));
    trains_take(sim, &t);
    for (int64_t k = 0; k < n; k++) {
        double w = weight_by_pairs(&c, &t, &before[k], before[k].weight, nearest);
        CHECK_CLOSE(after[k].weight, w, 1e-11);
        changed += fabs(w - before[k].weight) > 1e-3;
    }
    CHECK(changed > n / 2);
    if (c.rate == 0) CHECK_INT(t.n[0], 0);
    CHECK(t.n[NEURONS - 1] > 70);
    trains_free(&t);
    lw_free(before);
    lw_free(after);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

static const plastic_case PLAIN = {.model = "stdp",
    .multapses = true,
    .delay_lo = 0.2,
    .delay_hi = 2.0,
    .weight_type = LW_F64,
    .precision = LW_F64,
    .threads = 1};

TEST(weights_are_sums_over_all_pairs) {
    const double mu[][2] = {{0, 0}, {1, 1}, {0.4, 1}, {0.5, 0.5}};
    for (int k = 0; k < 8; k++) {
        plastic_case c = PLAIN;
        c.param = stdp_param(mu[k / 2][0], mu[k / 2][1]);
        c.in_axon = k % 2;
        against_pairs(c, false);
    }
}

TEST(nearest_neighbours_alone_count) {
    for (int k = 0; k < 2; k++) {
        plastic_case c = PLAIN;
        c.model = "stdp_nearest";
        c.param = stdp_param(0, 1);
        c.in_axon = k;
        against_pairs(c, true);
    }
}

/* More spikes than a ring first holds are between two looks at a synapse. */
TEST(rings_grow_with_long_delays) {
    plastic_case c = PLAIN;
    c.param = stdp_param(1, 1);
    c.delay_lo = 60;
    c.delay_hi = 100;
    c.rate = 0.4;
    against_pairs(c, false);
}

/* ------------------------------------------------------------------ equal bits */

typedef struct outcome {
    uint64_t spikes, weights;
} outcome;

/* Runs SHORT steps, settling every `settle` steps (0: at the end only). */
static outcome run(const lw_comm *comm, const plastic_case *c, int64_t settle) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    outcome o;
    CHECK_OK(plastic_net(comm, c, &net));
    CHECK_OK(plastic_sim(net, c, &sim));
    for (int64_t left = SHORT; left > 0;) {
        int64_t n = settle && settle < left ? settle : left;
        CHECK_OK(lw_sim_advance(sim, n, NULL));
        if (settle) lw_sim_weights_settle(sim);
        left -= n;
    }
    lw_sim_weights_settle(sim);
    o = (outcome){plastic_spikes(sim), plastic_checksum(net)};
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return o;
}

static void same(outcome a, outcome b) {
    CHECK(a.spikes == b.spikes);
    CHECK(a.weights == b.weights);
}

static const char *const models[] = {"stdp", "stdp_nearest", "stdp_power", "stdp_triplet", "tsodyks_markram"};
enum { MODELS = sizeof models / sizeof models[0] };

TEST(ranks_partitions_and_threads_change_no_bit) {
    for (int k = 0; k < 2 * MODELS; k++) {
        plastic_case c = PLAIN;
        c.model = models[k / 2];
        c.in_axon = k & 1;
        c.weight_type = k & 1 ? LW_F32 : LW_F64;
        c.precision = k & 1 ? LW_F32 : LW_F64;
        outcome one = run(self_of(), &c, 0);
        same(one, run(world_kept(), &c, 0));
        c.partition = LW_PARTITION_ROUND_ROBIN;
        c.threads = 2;
        same(one, run(world_kept(), &c, 0));
    }
}

TEST(settling_changes_no_bit) {
    for (int k = 0; k < 2 * MODELS; k++) {
        plastic_case c = PLAIN;
        c.model = models[k / 2];
        c.in_axon = k & 1;
        c.multapses = false;
        c.weight_type = k & 1 ? LW_F32 : LW_F64;
        outcome one = run(world_kept(), &c, 0);
        same(one, run(world_kept(), &c, 7));
        same(one, run(world_kept(), &c, 250));
    }
}

/* State taken out of one engine and put into another, with the weights standing in the shared net. */
TEST(a_run_goes_on_from_its_parts) {
    for (int k = 0; k < 2 * MODELS; k++) {
        plastic_case c = PLAIN;
        lw_net *net = NULL;
        lw_sim *sim = NULL, *next = NULL;
        c.model = models[k / 2];
        c.in_axon = k & 1;
        if (k == 0) { /* rings longer than they are at first */
            c.delay_hi = 100;
            c.rate = 1;
        }
        outcome whole = run(world_kept(), &c, 0);
        CHECK_OK(plastic_net(world_kept(), &c, &net));
        CHECK_OK(plastic_sim(net, &c, &sim));
        CHECK_OK(plastic_sim(net, &c, &next));
        CHECK_OK(lw_sim_advance(sim, 703, NULL));
        const lw_synapse_model *m = lw_synapse_builtin(c.model);
        int64_t n = lw_net_pop(net, 0).n_local, depth = lw_sim_targets_depth(sim, 0);
        double *value = NULL, *sources = NULL, *targets = NULL;
        int32_t *refractory = NULL;
        lw_comm_max_i64(world_kept(), &depth, 1);
        CHECK_OK(lw_alloc((size_t)n, sizeof *value, "state", &value));
        CHECK_OK(lw_alloc((size_t)n, sizeof *refractory, "state", &refractory));
        CHECK_OK(lw_alloc((size_t)(n * (1 + m->n_pre)), sizeof *sources, "state", &sources));
        CHECK_OK(lw_alloc((size_t)(n * depth * (1 + m->n_post) + 1), sizeof *targets, "state", &targets));
        lw_sim_step_set(next, lw_sim_step(sim));
        lw_sim_state_get(sim, 0, 0, value);
        lw_sim_state_set(next, 0, 0, value);
        lw_sim_refractory_get(sim, 0, refractory);
        lw_sim_refractory_set(next, 0, refractory);
        for (int32_t back = 1; back <= lw_net_delay_max(net); back++) {
            lw_sim_history_get(sim, 0, back, value);
            lw_sim_history_set(next, 0, back, value);
        }
        CHECK_OK(lw_sim_history_share(next));
        lw_sim_sources_get(sim, 0, sources);
        lw_sim_targets_get(sim, 0, depth, targets);
        CHECK_OK(lw_sim_sources_set(next, 0, sources));
        CHECK_OK(lw_sim_targets_set(next, 0, depth, targets));
        lw_sim_stats stats = lw_sim_stats_get(sim);
        lw_sim_stats_set(next, &stats);
        CHECK_OK(lw_sim_advance(next, SHORT - 703, NULL));
        lw_sim_weights_settle(next);
        same(whole, (outcome){plastic_spikes(next), plastic_checksum(net)});
        lw_free(value);
        lw_free(refractory);
        lw_free(sources);
        lw_free(targets);
        lw_sim_destroy(&sim);
        lw_sim_destroy(&next);
        lw_net_destroy(&net);
    }
}

/* ------------------------------------------------------------------ closed forms */

/* One synapse between two neurons with given spikes; returns the weight, *V_m the target's potential at the end. */
static double pair_run(const char *model, const double *param, bool in_axon, double w, int32_t delay, int64_t n_pre,
    const int64_t *pre, int64_t n_post, const int64_t *post, int64_t steps) {
    lw_edge edge = {.target = 0, .source = 0, .weight = w, .delay = delay};
    lw_population_spec pop[2] = {{.name = "pre", .model = lw_model_builtin("lif_delta"), .size = 1},
        {.name = "post", .model = lw_model_builtin("lif_delta"), .size = 1}};
    lw_projection_spec proj = {.pre = 0,
        .post = 1,
        .rule = LW_RULE_EDGES,
        .edges = &edge,
        .n_edges = 1,
        .synapse = lw_synapse_builtin(model),
        .synapse_param = param,
        .delay_in_axon = in_axon};
    lw_net_spec spec = {.seed = 1, .dt = DT, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = &proj, .weight_type = LW_F64};
    int64_t zero[64] = {0};
    lw_stimulus_spec kick[2];
    for (int p = 0; p < 2; p++)
        kick[p] = (lw_stimulus_spec){.kind = LW_STIMULUS_SPIKES,
            .pop = p,
            .weight = 25,
            .stop = -1,
            .spike_neuron = zero,
            .spike_step = p ? post : pre,
            .n_spikes = p ? n_post : n_pre};
    lw_sim_options options = lw_sim_options_default();
    options.stimulus = kick;
    options.n_stimuli = 2;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    CHECK_OK(lw_net_create(self_of(), &spec, &net));
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_OK(lw_sim_advance(sim, steps, NULL));
    lw_sim_weights_settle(sim);
    lw_proj_view view = lw_net_proj(net, 0);
    double out = lw_net_weight(&view, 0);
    CHECK_INT(lw_sim_spike_counts(sim)[0], n_pre);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return out;
}

TEST(single_pairs_follow_the_window) {
    const double w = 0.7, *param = stdp_param(0.3, 0.6);
    const int32_t delay = 8;
    for (int64_t gap = -400; gap <= 400; gap += 8) {
        for (int axon = 0; axon < 2; axon++) {
            /* a second pre spike, long after, makes up for the post spike at the latest */
            int64_t pre[] = {500}, post[] = {500 + gap};
            int64_t at_synapse = post[0] + (axon ? 0 : delay) - pre[0] - (axon ? delay : 0);
            double s = (double)at_synapse * DT, want = w;
            if (at_synapse > 0 || (at_synapse == 0 && axon))
                want += LAMBDA * WMAX * pow(1 - w / WMAX, 0.3) * exp(-s / TAU_PLUS);
            if (at_synapse < 0) want -= LAMBDA * ALPHA * WMAX * pow(w / WMAX, 0.6) * exp(s / TAU_MINUS);
            CHECK_CLOSE(pair_run("stdp", param, axon, w, delay, 1, pre, 1, post, 1500), want, 1e-13);
        }
    }
}

TEST(bounds_hold) {
    const double *param = stdp_param(0, 0);
    int64_t pre[20], post[20];
    for (int i = 0; i < 20; i++) {
        pre[i] = 100 + 1000 * i;
        post[i] = pre[i] + 10;
    }
    CHECK(pair_run("stdp", param, false, 2.9, 1, 20, pre, 20, post, 20000) == WMAX);
    for (int i = 0; i < 20; i++)
        post[i] = pre[i] - 20;
    CHECK(pair_run("stdp", param, false, 0.3, 1, 20, pre, 20, post, 20000) == 0);
}

/* pre-post-pre against post-pre-post at equal gaps: the triplet term of Pfister & Gerstner, from their equations 3, 4
 */
TEST(triplets_read_slow_traces_before_their_spike) {
    const lw_synapse_model *m = lw_synapse_builtin("stdp_triplet");
    double p[16];
    for (int i = 0; i < m->n_param; i++)
        p[i] = m->param[i].value;
    p[lw_synapse_param_find(m, "w_max")] = 1;
    const double tp = 16.8, tx = 101, tm = 33.7, ty = 125, A2p = 5e-10, A3p = 6.2e-3, A2m = 7e-3, A3m = 2.3e-4;
    const int64_t pre[] = {100, 300}, post[] = {200};
    double t = 100 * DT, w = 0.5, got;
    got = pair_run("stdp_triplet", p, true, w, 1, 2, pre, 1, post, 1000);
    double want = w + exp(-(t - DT) / tp) * A2p - exp(-(t + DT) / tm) * (A2m + A3m * exp(-2 * t / tx));
    CHECK_CLOSE(got, want, 1e-14);
    const int64_t pre1[] = {200}, post2[] = {100, 300};
    got = pair_run("stdp_triplet", p, true, w, 1, 1, pre1, 2, post2, 1000);
    want = w - exp(-(t + DT) / tm) * A2m + exp(-(t - DT) / tp) * (A2p + A3p * exp(-2 * t / ty));
    CHECK_CLOSE(got, want, 1e-14);
}

/* Facilitating and depressing synapses: the potential's jumps are w u_n x_n of the recursion, and for a regular train
 * tend to its fixed point, u = U / (1 - (1 - U) e_f), x = (1 - e_r) / (1 - (1 - u) e_r). */
TEST(short_term_plasticity_follows_its_recursion) {
    const double param[][3] = {{0.5, 800, 0}, {0.05, 100, 1000}, {0.2, 130, 530}};
    enum { N = 200, GAP = 500, D = 3 };
    for (int k = 0; k < 3; k++) {
        const double U = param[k][0], w = 2;
        double e_f = param[k][2] > 0 ? exp(-GAP * DT / param[k][2]) : 0, e_r = exp(-GAP * DT / param[k][1]);
        int64_t pre[N], neuron[N] = {0};
        for (int i = 0; i < N; i++)
            pre[i] = 100 + GAP * i;
        lw_edge edge = {.weight = w, .delay = D};
        lw_population_spec pop[2] = {{.name = "pre", .model = lw_model_builtin("lif_delta"), .size = 1},
            {.name = "post", .model = lw_model_builtin("lif_delta"), .size = 1}};
        lw_projection_spec proj = {.post = 1,
            .rule = LW_RULE_EDGES,
            .edges = &edge,
            .n_edges = 1,
            .synapse = lw_synapse_builtin("tsodyks_markram"),
            .synapse_param = param[k]};
        lw_net_spec spec = {
            .seed = 1, .dt = DT, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = &proj, .weight_type = LW_F64};
        lw_stimulus_spec kick = {.kind = LW_STIMULUS_SPIKES,
            .weight = 25,
            .stop = -1,
            .spike_neuron = neuron,
            .spike_step = pre,
            .n_spikes = N};
        lw_sim_options options = lw_sim_options_default();
        options.stimulus = &kick;
        options.n_stimuli = 1;
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        CHECK_OK(lw_net_create(self_of(), &spec, &net));
        CHECK_OK(lw_sim_create(net, &options, &sim));
        double u = 0, x = 1, jump = 0;
        for (int i = 0; i < N; i++) {
            double before, after;
            if (i > 0) {
                u *= e_f;
                x = 1 + (x - 1) * e_r;
            }
            u += U * (1 - u);
            CHECK_OK(lw_sim_advance(sim, pre[i] + D - lw_sim_step(sim), NULL));
            lw_sim_state_get(sim, 1, 0, &before);
            CHECK_OK(lw_sim_advance(sim, 1, NULL));
            lw_sim_state_get(sim, 1, 0, &after);
            jump = after - (-70 + (before + 70) * exp(-DT / 10));
            CHECK_CLOSE(jump, w * u * x, 1e-12);
            x -= u * x;
        }
        double u_end = U / (1 - (1 - U) * e_f), x_end = (1 - e_r) / (1 - (1 - u_end) * e_r);
        CHECK_CLOSE(jump, w * u_end * x_end, 1e-6);
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
}

/* ------------------------------------------------------------------ refusals */

TEST(what_knows_no_plasticity_says_so) {
    plastic_case c = PLAIN;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_tape *tape = NULL;
    lw_sim_options options = lw_sim_options_default();
    CHECK_OK(plastic_net(world_kept(), &c, &net));
    options.width = 2;
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE,
        "projection \"EE\" has synapse model stdp, which only plain simulations with one lane and hard spikes know");
    CHECK_OK(plastic_sim(net, &c, &sim));
    CHECK_FAILS(lw_tape_create(sim, 10, NULL, &tape), LW_EUSE,
        "projection \"EE\" has synapse model stdp; a sweep for derivatives knows static synapses only");
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    double bad[] = {TAU_PLUS, -1, LAMBDA, ALPHA, 0, 0, WMAX};
    c.param = bad;
    CHECK_FAILS(plastic_net(world_kept(), &c, &net), LW_EUSE,
        "projection \"EE\": parameter tau_minus of synapse stdp is -1 ms, allowed is (0, inf) ms");
}

CHECK_MAIN(CASE(weights_are_sums_over_all_pairs), CASE(nearest_neighbours_alone_count),
    CASE(rings_grow_with_long_delays), CASE(ranks_partitions_and_threads_change_no_bit), CASE(settling_changes_no_bit),
    CASE(a_run_goes_on_from_its_parts), CASE(single_pairs_follow_the_window), CASE(bounds_hold),
    CASE(triplets_read_slow_traces_before_their_spike), CASE(short_term_plasticity_follows_its_recursion),
    CASE(what_knows_no_plasticity_says_so))
