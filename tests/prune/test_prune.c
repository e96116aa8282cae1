/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pruning whole networks (relay -> LIF -> leaky integrator): exact counts for every method and option, the same kept
 * set for every number of ranks, compact results that still run, controls that do what their names say, errors that
 * name numbers.
 */
#include <lapwing/prune.h>
#include "../train/conv_net.h"
#include "world.h"

enum { N_IN = 6, N_HID = 40, N_OUT = 3 };

static lw_dist normal(double mean, double sd) {
    lw_dist d = lw_dist_number(mean);
    d.kind = LW_DIST_NORMAL;
    d.p[1] = sd;
    return d;
}

/* dense: all to all with autapses; else a small world, and a second, delayed projection with multapses. */
static lw_net *make(const lw_comm *comm, bool dense, bool constant) {
    const lw_model *lif = lw_model_builtin("cuba_lif");
    lw_dist param[16];
    lw_net *net = NULL;
    for (int p = 0; p < lif->n_param; p++)
        param[p] = lw_dist_number(lif->param[p].value);
    param[lw_model_param_find(lif, "tau_mem")] = (lw_dist){.kind = LW_DIST_GAMMA, .p = {3, 20}, .lo = 2, .hi = 100};
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = N_IN},
        {.name = "hid", .model = lif, .size = N_HID, .param = param},
        {.name = "out", .model = lw_model_builtin("li"), .size = N_OUT}};
    lw_dist one = lw_dist_number(1), w = constant ? lw_dist_number(0.3) : normal(0.1, 0.6);
    lw_projection_spec proj[] = {{.name = "feed",
                                     .pre = 0,
                                     .post = 1,
                                     .rule = LW_RULE_ALL_TO_ALL,
                                     .weight = normal(0.5, 0.2),
                                     .delay = one,
                                     .learn = true},
        {.name = "read",
            .pre = 1,
            .post = 2,
            .rule = LW_RULE_ALL_TO_ALL,
            .weight = normal(0, 1),
            .delay = one,
            .learn = true},
        {.name = "rec", .pre = 1, .post = 1, .rule = LW_RULE_SMALL_WORLD, .n = 10, .p = 0.2, .weight = w, .delay = one},
        {.name = "slow",
            .pre = 1,
            .post = 1,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 3,
            .multapses = true,
            .weight = w,
            .delay = lw_dist_number(3)}};
    if (dense) {
        proj[2].rule = LW_RULE_ALL_TO_ALL;
        proj[2].autapses = true;
    }
    lw_net_spec spec = {
        .seed = 5, .dt = 1, .n_pop = 3, .n_proj = dense ? 3 : 4, .pop = pop, .proj = proj, .weight_type = LW_F64};
    CHECK_OK(lw_net_create(comm, &spec, &net));
    if (!net) abort();
    return net;
}

/* Poisson input with a rate of its own for every neuron; neurons from 30 on are silent. */
static lw_sim_options drive(void) {
    static double rate[N_HID];
    static lw_stimulus_spec s;
    lw_sim_options o = lw_sim_options_default();
    for (int i = 0; i < N_HID; i++)
        rate[i] = i < 30 ? 0.1 + 0.01 * i : 0;
    s = (lw_stimulus_spec){.kind = LW_STIMULUS_POISSON, .pop = 1, .port = 0, .weight = 2, .stop = -1};
    s.amplitude = lw_dist_number(0);
    s.amplitude.kind = LW_DIST_LIST;
    s.amplitude.list = rate;
    s.amplitude.n_list = N_HID;
    o.stimulus = &s;
    o.n_stimuli = 1;
    return o;
}

static lw_prune_spec plan(lw_prune_method method, int64_t neurons, int64_t synapses) {
    lw_prune_spec s = lw_prune_spec_default();
    s.method = method;
    s.pop = 1;
    s.neurons = neurons;
    s.synapses = synapses;
    s.iterations = 2;
    s.exponents = 10;
    s.lyapunov_steps = 20;
    s.lyapunov_transient = 20;
    s.activity_steps = 200;
    return s;
}

static int64_t recurrent(const lw_net *net) {
    int64_t m = 0;
    for (int p = 0; p < lw_net_n_proj(net); p++)
        if (lw_net_proj(net, p).pre == 1 && lw_net_proj(net, p).post == 1) m += lw_net_proj(net, p).n_edges_global;
    return m;
}

static lw_net *prune(lw_net *net, const lw_prune_spec *spec, lw_prune_report **report) {
    lw_sim_options o = drive();
    lw_net *out = NULL;
    CHECK_OK(lw_prune_run(net, &o, spec, NULL, &out, report));
    if (!out) abort();
    return out;
}

/* origin[i]: number in the first network of neuron i of the pruned population, on every rank */
static void origins(const lw_net *net, int64_t *origin) {
    lw_pop_view pop = lw_net_pop(net, 1);
    memset(origin, 0, (size_t)pop.size * sizeof *origin);
    for (int64_t j = 0; j < pop.n_local; j++)
        origin[pop.gid[j] - pop.gid_begin] = pop.origin[j];
    lw_comm_sum_i64(lw_net_comm(net), origin, pop.size);
}

/* what[target][source] += 1 (or the weight) for recurrent synapses, in numbers of the first network; on every rank */
static void table(const lw_net *net, bool weights, double *what) {
    int64_t origin[N_HID];
    origins(net, origin);
    memset(what, 0, N_HID * N_HID * sizeof *what);
    for (int p = 0; p < lw_net_n_proj(net); p++) {
        lw_edge *edge = NULL;
        int64_t n = 0;
        if (lw_net_proj(net, p).pre != 1 || lw_net_proj(net, p).post != 1) continue;
        CHECK_OK(lw_net_edges(net, p, &edge, NULL, &n));
        for (int64_t e = 0; e < n; e++)
            what[origin[edge[e].target] * N_HID + origin[edge[e].source]] += weights ? edge[e].weight : 1;
        lw_free(edge);
    }
    lw_comm_sum_f64(lw_net_comm(net), what, N_HID * N_HID);
}

static void check_counts(const lw_net *net, const lw_net *out, const lw_prune_spec *spec, const lw_prune_report *r) {
    int64_t n = spec->neurons;
    CHECK_INT(r->neurons_before, N_HID);
    CHECK_INT(r->neurons_after, n);
    CHECK_INT(r->synapses_before, recurrent(net));
    CHECK_INT(r->synapses_after, spec->synapses);
    CHECK_INT(r->network_synapses_before, lw_net_n_edges_global(net));
    CHECK_INT(r->network_synapses_after,
        spec->synapses + n * (N_IN + N_OUT)); /* input and read-out leave with their neurons */
    CHECK_INT(lw_net_pop(out, 1).size, n);
    CHECK_INT(lw_net_pop(out, 0).size, N_IN);
    CHECK_INT(lw_net_pop(out, 2).size, N_OUT);
    CHECK_INT(recurrent(out), spec->synapses);
    lw_net_stats before = lw_net_stats_get(net), after = lw_net_stats_get(out);
    CHECK_INT(after.synapses, r->network_synapses_after);
    CHECK_INT(after.neurons, n + N_IN + N_OUT);
    int64_t bytes[2] = {before.bytes_synapses + before.bytes_neurons, after.bytes_synapses + after.bytes_neurons};
    lw_comm_sum_i64(lw_net_comm(net), bytes, 2);
    if (n < N_HID) CHECK(bytes[1] < bytes[0]);
}

/* The pruned network runs, and its neurons fire. */
static void check_runs(lw_net *out) {
    lw_sim_options o = lw_sim_options_default();
    lw_stimulus_spec s = {
        .kind = LW_STIMULUS_POISSON, .pop = 1, .weight = 2, .stop = -1, .amplitude = lw_dist_number(0.3)};
    lw_sim *sim = NULL;
    o.stimulus = &s;
    o.n_stimuli = 1;
    CHECK_OK(lw_sim_create(out, &o, &sim));
    CHECK_OK(lw_sim_advance(sim, 60, NULL));
    int64_t spikes = lw_sim_stats_get(sim).spikes;
    lw_comm_sum_i64(world_kept(), &spikes, 1);
    CHECK(spikes > 0);
    lw_sim_destroy(&sim);
}

static void check_method(lw_prune_method method, bool dense, int64_t neurons, double part) {
    lw_net *net = make(world_kept(), dense, false);
    lw_prune_spec spec = plan(method, neurons, (int64_t)(part * (double)recurrent(net)));
    lw_prune_report *r = NULL;
    lw_net *out = prune(net, &spec, &r);
    check_counts(net, out, &spec, r);
    check_runs(out);
    CHECK(isfinite(r->ipr_before) && isfinite(r->ipr_after) && isfinite(r->abscissa_before));
    if (method == LW_PRUNE_LNP) {
        CHECK_INT(r->n_steps, 2);
        CHECK_INT(r->step[1].synapses, spec.synapses);
        CHECK_INT(r->step[1].neurons, spec.neurons);
        CHECK(isfinite(r->step[0].lambda_max) && isfinite(r->step[1].lambda_max));
        for (int i = 0; i < 2; i++)
            if (isfinite(r->step[i].ipr_before)) CHECK(r->step[i].ipr_after <= r->step[i].ipr_before * (1 + 1e-9));
    }
    lw_prune_report_destroy(&r);
    lw_net_destroy(&out);
    lw_net_destroy(&net);
}
TEST(exact_counts_for_every_method) {
    for (int m = LW_PRUNE_LNP; m <= LW_PRUNE_RANDOM; m++) {
        check_method((lw_prune_method)m, false, 20, 0.15);
        check_method((lw_prune_method)m, true, 25, 0.3);
    }
}
TEST(exact_counts_at_the_edges) {
    for (int m = LW_PRUNE_LNP; m <= LW_PRUNE_RANDOM; m++) {
        check_method((lw_prune_method)m, false, N_HID, 0.5); /* no neuron leaves */
        check_method((lw_prune_method)m, false, 30, 0.61); /* more synapses than 30 of 40 neurons keep on the average */
        check_method((lw_prune_method)m, false, 10, 0.08); /* the last pass must bring dropped ones back */
        check_method((lw_prune_method)m, true, 4, 0);      /* none stay */
        check_method((lw_prune_method)m, false, N_HID, 1); /* nothing to do */
    }
}

TEST(every_option_of_lnp) {
    lw_net *net = make(world_kept(), false, false);
    for (int o = 0; o < 8; o++) {
        lw_prune_spec spec = plan(LW_PRUNE_LNP, 24, 120);
        lw_prune_report *r = NULL;
        spec.iterations = 1;
        if (o == 0) spec.mode = LW_PRUNE_LITERAL;
        if (o == 1) spec.mode = LW_PRUNE_MC;
        if (o == 2) spec.pair = LW_PRUNE_PAIR;
        if (o == 3) spec.diagonal = LW_PRUNE_LEAK;
        if (o == 4) spec.attribution = LW_PRUNE_INDEX;
        if (o == 5) spec.attribution = LW_PRUNE_LEAK_EXPONENT;
        if (o == 6) spec.rescale = LW_PRUNE_RESCALE_FULL;
        if (o == 7) spec.delocalise_budget = 0;
        lw_net *out = prune(net, &spec, &r);
        check_counts(net, out, &spec, r);
        if (o == 7) CHECK_INT(r->step[0].restored_synapses, 0);
        CHECK(r->p_median > 0 && r->p_max_inverse >= 1);
        lw_prune_report_destroy(&r);
        lw_net_destroy(&out);
    }
    lw_net_destroy(&net);
}

/* Neurons, synapses and weights are those that one rank alone keeps. */
TEST(same_set_for_every_number_of_ranks) {
    lw_comm *self = NULL;
    static double here[2][N_HID * N_HID], there[2][N_HID * N_HID];
    CHECK_OK(lw_comm_self(&self));
    for (int m = LW_PRUNE_LNP; m <= LW_PRUNE_RANDOM; m++) {
        lw_net *one = make(self, false, false), *all = make(world_kept(), false, false);
        lw_prune_spec spec = plan((lw_prune_method)m, 22, 110);
        lw_prune_report *r = NULL, *s = NULL;
        lw_net *a = prune(one, &spec, &r), *b = prune(all, &spec, &s);
        for (int w = 0; w < 2; w++) {
            table(a, w, here[w]);
            table(b, w, there[w]);
            for (int i = 0; i < N_HID * N_HID; i++)
                CHECK_CLOSE(there[w][i], here[w][i], 1e-9);
        }
        CHECK_CLOSE(s->ipr_after, r->ipr_after, 1e-9);
        lw_prune_report_destroy(&r);
        lw_prune_report_destroy(&s);
        lw_net_destroy(&a);
        lw_net_destroy(&b);
        lw_net_destroy(&one);
        lw_net_destroy(&all);
    }
    lw_comm_destroy(&self);
}

TEST(the_network_itself_does_not_change) {
    static double before[N_HID * N_HID], after[N_HID * N_HID];
    lw_net *net = make(world_kept(), false, false);
    lw_prune_spec spec = plan(LW_PRUNE_LNP, 22, 110);
    lw_prune_report *r = NULL;
    spec.rescale = LW_PRUNE_RESCALE_FULL;
    table(net, true, before);
    lw_net *out = prune(net, &spec, &r);
    table(net, true, after);
    CHECK(memcmp(before, after, sizeof before) == 0);
    lw_prune_report_destroy(&r);
    lw_net_destroy(&out);
    lw_net_destroy(&net);
}

static void weights_grow(lw_prune_rescale rescale, double least, double most) {
    static double before[N_HID * N_HID], after[N_HID * N_HID], count[N_HID * N_HID];
    lw_net *net = make(world_kept(), true, false);
    lw_prune_spec spec = plan(LW_PRUNE_NOISE, N_HID, 400);
    lw_prune_report *r = NULL;
    double largest = 0;
    spec.rescale = rescale;
    lw_net *out = prune(net, &spec, &r);
    table(net, true, before);
    table(out, true, after);
    table(out, false, count);
    for (int i = 0; i < N_HID * N_HID; i++) {
        if (count[i] == 0) continue;
        CHECK(after[i] / before[i] > 1 - 1e-12);
        largest = fmax(largest, after[i] / before[i]);
    }
    CHECK(largest >= least && largest <= most);
    if (rescale == LW_PRUNE_RESCALE_CAP) CHECK_REL(largest, 1 / r->p_median, 0.02);
    if (rescale == LW_PRUNE_RESCALE_FULL) CHECK(largest <= r->p_max_inverse * (1 + 1e-12));
    lw_prune_report_destroy(&r);
    lw_net_destroy(&out);
    lw_net_destroy(&net);
}
TEST(rescaling_none_capped_full) {
    weights_grow(LW_PRUNE_RESCALE_NONE, 1, 1);
    weights_grow(LW_PRUNE_RESCALE_CAP, 1.5, 50);
    weights_grow(LW_PRUNE_RESCALE_FULL, 5, 1e9);
}

TEST(magnitude_keeps_the_largest) {
    static double before[N_HID * N_HID], after[N_HID * N_HID];
    double smallest = INFINITY, largest = 0;
    lw_net *net = make(world_kept(), true, false);
    lw_prune_spec spec = plan(LW_PRUNE_MAGNITUDE, N_HID, 300);
    lw_prune_report *r = NULL;
    lw_net *out = prune(net, &spec, &r);
    table(net, true, before);
    table(out, true, after);
    for (int i = 0; i < N_HID * N_HID; i++) {
        if (after[i] != 0)
            smallest = fmin(smallest, fabs(after[i]));
        else
            largest = fmax(largest, fabs(before[i]));
    }
    CHECK(smallest > largest);
    lw_prune_report_destroy(&r);
    lw_net_destroy(&out);
    lw_net_destroy(&net);
}

/* No neuron that left fired more than one that stayed. */
TEST(activity_removes_the_quiet) {
    lw_net *net = make(world_kept(), false, false);
    lw_prune_spec spec = plan(LW_PRUNE_ACTIVITY, 20, 50);
    lw_prune_report *r = NULL;
    lw_sim_options o = drive();
    lw_sim *sim = NULL;
    int64_t origin[N_HID], fired[N_HID] = {0}, least = INT64_MAX, most = 0;
    bool kept[N_HID] = {false};
    lw_net *out = prune(net, &spec, &r);
    lw_pop_view pop = lw_net_pop(net, 1);
    CHECK_OK(lw_sim_create(net, &o, &sim));
    CHECK_OK(lw_sim_advance(sim, spec.activity_steps, NULL));
    for (int64_t j = 0; j < pop.n_local; j++)
        fired[pop.gid[j] - pop.gid_begin] = lw_sim_spike_counts(sim)[pop.lid_begin + j];
    lw_comm_sum_i64(world_kept(), fired, N_HID);
    origins(out, origin);
    for (int i = 0; i < 20; i++)
        kept[origin[i]] = true;
    for (int i = 0; i < N_HID; i++) {
        if (kept[i] && fired[i] < least) least = fired[i];
        if (!kept[i] && fired[i] > most) most = fired[i];
    }
    CHECK(least >= most && least > 0);
    lw_sim_destroy(&sim);
    lw_prune_report_destroy(&r);
    lw_net_destroy(&out);
    lw_net_destroy(&net);
}

/* Every neuron and every synapse has the same chance, equal weights included. */
static void check_fair(lw_prune_method method, bool constant) {
    enum { DRAWS = 150 };
    static double count[N_HID * N_HID], first[N_HID * N_HID];
    double node[N_HID] = {0}, chi2 = 0, edges = 0, p_edge = 0;
    int64_t most = 0;
    lw_net *net = make(world_kept(), true, constant);
    table(net, false, first);
    static double seen[N_HID * N_HID];
    memset(seen, 0, sizeof seen);
    for (uint64_t seed = 1; seed <= DRAWS; seed++) {
        lw_prune_spec spec = plan(method, method == LW_PRUNE_RANDOM ? 20 : N_HID, 200);
        lw_prune_report *r = NULL;
        int64_t origin[N_HID];
        spec.seed = seed;
        lw_net *out = prune(net, &spec, &r);
        origins(out, origin);
        for (int i = 0; i < spec.neurons; i++)
            node[origin[i]] += 1.0 / DRAWS;
        table(out, false, count);
        for (int i = 0; i < N_HID * N_HID; i++)
            seen[i] += count[i];
        lw_prune_report_destroy(&r);
        lw_net_destroy(&out);
    }
    for (int i = 0; i < N_HID && method == LW_PRUNE_RANDOM; i++)
        CHECK_CLOSE(node[i], 0.5, 4.5 * sqrt(0.25 / DRAWS));
    p_edge = 200.0 / (N_HID * N_HID);
    for (int i = 0; i < N_HID * N_HID; i++) {
        double expected = DRAWS * p_edge;
        chi2 += (seen[i] - expected) * (seen[i] - expected) / (expected * (1 - p_edge));
        edges += first[i];
        most = seen[i] > (double)most ? (int64_t)seen[i] : most;
    }
    CHECK_CLOSE(chi2 / edges, 1,
        method == LW_PRUNE_RANDOM ? 0.5 : 0.25); /* neurons that leave together correlate their synapses */
    CHECK(most < 60);
    lw_net_destroy(&net);
}
TEST(random_is_fair) {
    if (lw_comm_size(world_kept()) > 2)
        return; /* many small networks; the kept set is the same on any number of ranks */
    check_fair(LW_PRUNE_RANDOM, false);
    check_fair(LW_PRUNE_MAGNITUDE, true);
}

TEST(faults) {
    lw_comm *self = NULL;
    lw_net *net = make(world_kept(), true, false), *out = NULL;
    lw_sim_options o = drive();
    lw_prune_report *r = NULL;
    lw_prune_method m = LW_PRUNE_LNP;
    for (int k = LW_PRUNE_LNP; k <= LW_PRUNE_RANDOM; k++) {
        lw_prune_spec spec = plan((lw_prune_method)k, 10, 101); /* ten neurons have a hundred pairs */
        CHECK_FAILS(lw_prune_run(net, &o, &spec, NULL, &out, &r), LW_EUSE,
            "10 neurons of population hid keep only 100 recurrent synapses among themselves, 101 were to be kept");
        CHECK(out == NULL && r == NULL);
    }
    lw_prune_spec spec = plan(LW_PRUNE_RANDOM, 41, 10);
    CHECK_FAILS(lw_prune_run(net, &o, &spec, NULL, &out, &r), LW_EUSE, "1 to 40 are possible");
    spec = plan(LW_PRUNE_RANDOM, 10, 1601);
    CHECK_FAILS(lw_prune_run(net, &o, &spec, NULL, &out, &r), LW_EUSE, "0 to 1600 are possible");
    spec = plan(LW_PRUNE_ACTIVITY, 1, 0);
    spec.pop = 2;
    CHECK_FAILS(lw_prune_run(net, &o, &spec, NULL, &out, &r), LW_EUSE, "graded");
    CHECK_FAILS(lw_prune_method_parse("best", &m), LW_EUSE, "known are lnp");
    CHECK_OK(lw_prune_method_parse("noise", &m));
    CHECK_INT(m, LW_PRUNE_NOISE);
    CHECK_STR(lw_prune_method_name(LW_PRUNE_ACTIVITY), "activity");
    lw_net_destroy(&net);
    CHECK_OK(lw_comm_self(&self));
    CHECK_OK(conv_net(self, LW_F64, LW_PARTITION_BLOCK, &net)); /* kernels are shared */
    spec = plan(LW_PRUNE_RANDOM, 10, 10);
    CHECK_FAILS(lw_prune_run(net, &o, &spec, NULL, &out, &r), LW_EUSE, "conv2d");
    lw_net_destroy(&net);
    lw_comm_destroy(&self);
}

CHECK_MAIN(CASE(exact_counts_for_every_method), CASE(exact_counts_at_the_edges), CASE(every_option_of_lnp),
    CASE(same_set_for_every_number_of_ranks), CASE(the_network_itself_does_not_change),
    CASE(rescaling_none_capped_full), CASE(magnitude_keeps_the_largest), CASE(activity_removes_the_quiet),
    CASE(random_is_fair), CASE(faults))
