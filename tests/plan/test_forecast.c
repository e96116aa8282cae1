/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The forecast of each rank against the network that these ranks build: synapses, slots and neighbours within four
 * standard errors (equal where the error is 0), bytes within a tenth, for every rule and partition; and what it says of
 * numbers of ranks that cannot be built here.
 */
#include <lapwing/plan.h>
#include "check.h"

enum { E, I, POPS };

typedef struct example {
    const char *name;
    lw_rule rule;
    int64_t n;
    double p;
    bool autapses, multapses;
    lw_dist_kind delay, weight;
    bool symmetric;
    double p_out;
    lw_profile p_of;
    lw_layout_kind layout;
    double delay_max; /* > 0: delays are learned */
} example;

static const example examples[] = {
    {"all_to_all", LW_RULE_ALL_TO_ALL, 0, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"all_to_all, no autapses", LW_RULE_ALL_TO_ALL, 0, 0, false, true, LW_DIST_CONSTANT, LW_DIST_NORMAL},
    {"all_to_all, weights", LW_RULE_ALL_TO_ALL, 0, 0, true, true, LW_DIST_CONSTANT, LW_DIST_UNIFORM},
    {"one_to_one", LW_RULE_ONE_TO_ONE, 0, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"fixed_indegree", LW_RULE_FIXED_INDEGREE, 40, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"fixed_indegree, few", LW_RULE_FIXED_INDEGREE, 2, 0, false, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"fixed_indegree, no multapses", LW_RULE_FIXED_INDEGREE, 3, 0, false, false, LW_DIST_NORMAL, LW_DIST_NORMAL},
    {"fixed_indegree, gamma delays", LW_RULE_FIXED_INDEGREE, 9, 0, true, true, LW_DIST_GAMMA, LW_DIST_CONSTANT},
    {"fixed_indegree, long delays", LW_RULE_FIXED_INDEGREE, 20, 0, true, true, LW_DIST_EXPONENTIAL, LW_DIST_NORMAL},
    {"fixed_outdegree", LW_RULE_FIXED_OUTDEGREE, 3, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"fixed_outdegree, no multapses", LW_RULE_FIXED_OUTDEGREE, 2, 0, false, false, LW_DIST_UNIFORM, LW_DIST_CONSTANT},
    {"fixed_total_number", LW_RULE_FIXED_TOTAL_NUMBER, 3000, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"fixed_total_number, no multapses", LW_RULE_FIXED_TOTAL_NUMBER, 2000, 0, false, false, LW_DIST_LOGNORMAL,
        LW_DIST_CONSTANT},
    {"pairwise_bernoulli", LW_RULE_PAIRWISE_BERNOULLI, 0, 0.003, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"pairwise_bernoulli, sure", LW_RULE_PAIRWISE_BERNOULLI, 0, 1, false, true, LW_DIST_CONSTANT, LW_DIST_NORMAL},
    {"small_world", LW_RULE_SMALL_WORLD, 20, 0.02, false, false, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
    {"symmetric", LW_RULE_PAIRWISE_BERNOULLI, 0, 0.003, false, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT,
        .symmetric = true},
    {"clustered", LW_RULE_CLUSTERED, 30, 0.2, false, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT, .p_out = 0.0005},
    {"clustered, few", LW_RULE_CLUSTERED, 3, 0.004, true, true, LW_DIST_UNIFORM, LW_DIST_CONSTANT, .p_out = 0},
    {"by distance on a grid", LW_RULE_PAIRWISE_BERNOULLI, 0, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT,
        .p_of = {LW_PROFILE_GAUSSIAN, 0.3, 0, 0.06}, .layout = LW_LAYOUT_GRID},
    {"by distance, constant, on a grid", LW_RULE_PAIRWISE_BERNOULLI, 0, 0, true, true, LW_DIST_CONSTANT,
        LW_DIST_CONSTANT, .p_of = {LW_PROFILE_CONSTANT, 0.004, 0, 0}, .layout = LW_LAYOUT_GRID},
    {"by distance at random", LW_RULE_PAIRWISE_BERNOULLI, 0, 0, false, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT,
        .p_of = {LW_PROFILE_EXPONENTIAL, 0.05, 0, 0.05}, .layout = LW_LAYOUT_RANDOM},
    {"fixed_indegree by distance", LW_RULE_FIXED_INDEGREE, 6, 0, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT,
        .p_of = {LW_PROFILE_GAUSSIAN, 1, 0, 0.05}, .layout = LW_LAYOUT_GRID},
    {"learned delays", LW_RULE_FIXED_INDEGREE, 20, 0, true, true, LW_DIST_UNIFORM, LW_DIST_NORMAL, .delay_max = 4},
    {"learned delays, all_to_all", LW_RULE_ALL_TO_ALL, 0, 0, true, true, LW_DIST_UNIFORM, LW_DIST_NORMAL,
        .delay_max = 3},
    {"small_world, random", LW_RULE_SMALL_WORLD, 4, 1, true, true, LW_DIST_CONSTANT, LW_DIST_CONSTANT},
};

static lw_dist values(lw_dist_kind kind, double about) {
    lw_dist d = lw_dist_number(about);
    d.kind = kind;
    d.p[1] = about / 4;
    if (kind == LW_DIST_UNIFORM) d.p[1] = 2 * about;
    if (kind == LW_DIST_LOGNORMAL) d = (lw_dist){.kind = kind, .p = {log(about), 0.1}, .lo = d.lo, .hi = d.hi};
    if (kind == LW_DIST_GAMMA) d = (lw_dist){.kind = kind, .p = {20, about}, .lo = d.lo, .hi = d.hi};
    if (kind != LW_DIST_CONSTANT && kind != LW_DIST_UNIFORM) d.lo = 0.05;
    return d;
}

typedef struct setup {
    lw_population_spec pop[POPS];
    lw_projection_spec proj[4];
    lw_net_spec net;
    double rate[POPS];
    lw_plan_options options;
} setup;

/* Two populations, E -> E by the rule, and E -> I too when `more`. */
static void setup_make(setup *s, const example *x, bool more, lw_partition partition, int ranks) {
    const lw_model *model = lw_model_builtin("lif_delta");
    *s = (setup){.rate = {10, 10}};
    s->pop[E] = (lw_population_spec){.name = "E", .model = model, .size = 1200};
    if (x->layout != LW_LAYOUT_NONE)
        s->pop[E].layout = (lw_layout){
            .kind = x->layout, .n_dim = 2, .grid = {40, 30}, .extent = {1, 1}, .centre = {0.5, 0.5}, .periodic = true};
    s->pop[I] = (lw_population_spec){.name = "I", .model = model, .size = 301};
    s->proj[0] = (lw_projection_spec){.pre = E,
        .post = E,
        .rule = x->rule,
        .n = x->n,
        .p = x->p,
        .p_out = x->p_out,
        .weight_in = 1,
        .p_of = x->p_of,
        .symmetric = x->symmetric,
        .autapses = x->autapses,
        .multapses = x->multapses,
        .weight = values(x->weight, 1),
        .delay = values(x->delay, 1.5),
        .learn_delay = x->delay_max > 0,
        .delay_max = x->delay_max};
    s->proj[1] = (lw_projection_spec){.pre = E,
        .post = I,
        .rule = LW_RULE_FIXED_INDEGREE,
        .n = 5,
        .multapses = true,
        .weight = values(x->weight, 1),
        .delay = values(x->delay, 1.5)};
    s->net = (lw_net_spec){.seed = 7,
        .dt = 0.1,
        .n_pop = POPS,
        .n_proj = more ? 2 : 1,
        .pop = s->pop,
        .proj = s->proj,
        .partition = partition,
        .weight_type = LW_F32};
    s->options = (lw_plan_options){.ranks = ranks, .precision = LW_F64, .rate = s->rate};
}

/* rough: samples of places, which have an error of their own. */
static void number_check(const char *what, const char *name, double found, lw_plan_number expected, double rough) {
    if (fabs(found - expected.mean) <= 4 * expected.error + rough * expected.mean) return;
    fprintf(stderr, "%s of %s: found %g, expected %g +- %g\n", what, name, found, expected.mean, expected.error);
    CHECK(false);
}

static void near_check(const char *what, const char *name, double found, double expected) {
    if (fabs(found - expected) <= 0.1 * found + 2000) return;
    fprintf(stderr, "%s of %s: found %g, expected %g\n", what, name, found, expected);
    CHECK(false);
}

/* Everything summed over the ranks, so that one forecast serves. Collective. */
static void compare(const lw_comm *world, const setup *s, const char *name) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_plan plan;
    int ranks = lw_comm_size(world);
    lw_sim_options options = lw_sim_options_default();
    CHECK_OK(lw_plan_make(&s->net, &s->options, &plan));
    int64_t before = lw_mem_now();
    CHECK_OK(lw_net_create(world, &s->net, &net));
    CHECK_OK(lw_sim_create(net, &options, &sim));
    lw_net_stats stats = lw_net_stats_get(net);
    lw_slot_view slots = lw_net_slots(net);
    int64_t seen = 0,
            sum[6] = {slots.n, 0, stats.bytes_neurons, stats.bytes_synapses, lw_sim_bytes(sim), lw_mem_now() - before};
    for (int64_t i = 0; i < slots.n; i++)
        if (slots.owner[i] != lw_comm_rank(world)) seen |= (int64_t)1 << slots.owner[i];
    sum[1] = __builtin_popcountll((uint64_t)seen);
    lw_comm_sum_i64(world, sum, 6);
    lw_plan_rank *m = &plan.mean;
    double rough = s->proj[0].p_of.kind != LW_PROFILE_NONE ? 0.03 : 1e-6;
    lw_plan_number slots_all = {m->slots.mean * ranks, m->slots.error * sqrt(ranks)};
    lw_plan_number neighbours = {m->neighbours.mean * ranks, m->neighbours.error * sqrt(ranks)};
    number_check("synapses", name, (double)stats.synapses, plan.synapses, rough);
    number_check("halo slots", name, (double)stats.slots_remote, plan.slots_remote, rough);
    number_check("slots", name, (double)sum[0], slots_all, rough);
    number_check("neighbours", name, (double)sum[1], neighbours, rough);
    near_check("bytes of neurons", name, (double)sum[2] / ranks, m->bytes_neurons);
    near_check("bytes of synapses", name, (double)sum[3] / ranks, m->bytes_synapses);
    near_check("bytes of the engine", name, (double)sum[4] / ranks, m->bytes_engine);
    int64_t epoch = lw_net_n_levels(net) == 1 ? lw_net_delay_min(net) : 1;
    CHECK(llabs(plan.epoch_steps - epoch) <= (s->proj[0].delay.kind == LW_DIST_CONSTANT ? 0 : 2)); /* an extreme draw */
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

TEST(every_rule_is_foreseen) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    for (size_t k = 0; k < sizeof examples / sizeof *examples; k++)
        for (int v = 0; v < 2; v++) {
            int variant = (int)k % 2 ? 1 + v : 3 * v; /* each of the two choices both ways */
            setup s;
            char name[100];
            snprintf(name, sizeof name, "%s%s%s", examples[k].name, variant & 1 ? ", and to I" : "",
                variant & 2 ? ", round robin" : "");
            setup_make(&s, &examples[k], variant & 1, variant & 2 ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK,
                lw_comm_size(world));
            compare(world, &s, name);
        }
    lw_comm_stop(&world);
}

/* The edges of a drawn network, given: nothing is left to chance. Rank 0 plans with all of them. */
TEST(given_edges_are_counted) {
    lw_comm *world = NULL, *self = NULL;
    lw_net *drawn = NULL, *net = NULL;
    lw_edge *edges = NULL;
    int64_t n = 0;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    CHECK_OK(lw_comm_self(&self));
    int ranks = lw_comm_size(world);
    for (int robin = 0; robin < 2; robin++) {
        setup s;
        lw_plan plan;
        setup_make(&s, &examples[7], false, robin ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK, ranks);
        CHECK_OK(lw_net_create(self, &s.net, &drawn));
        CHECK_OK(lw_net_edges(drawn, 0, &edges, NULL, &n));
        s.proj[0].rule = LW_RULE_EDGES;
        s.proj[0].edges = edges;
        s.proj[0].n_edges = n;
        CHECK_OK(lw_plan_make(&s.net, &s.options, &plan));
        if (lw_comm_rank(world) > 0) s.proj[0].n_edges = 0;
        CHECK_OK(lw_net_create(world, &s.net, &net));
        lw_net_stats stats = lw_net_stats_get(net);
        CHECK_CLOSE(plan.synapses.mean, (double)stats.synapses, 1e-6);
        CHECK_CLOSE(plan.slots_remote.mean, (double)stats.slots_remote, 1e-6);
        CHECK_CLOSE(plan.slots_remote.error, 0, 1e-9);
        near_check("bytes of synapses", "edges", (double)stats.bytes_synapses, plan.mean.bytes_synapses);
        lw_net_destroy(&net);
        lw_net_destroy(&drawn);
        lw_free(edges);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* Closed forms that hold for any number of ranks. */
TEST(many_ranks_cost_no_time) {
    setup s;
    lw_plan plan;
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    setup_make(&s, &examples[4], true, LW_PARTITION_BLOCK, 1);
    s.pop[E].size = INT64_C(4000000000);
    s.pop[I].size = INT64_C(1000000000);
    s.proj[0].n = s.proj[1].n = 1000;
    for (int ranks = 1; ranks <= 100000; ranks *= 10) {
        double begin = lw_time_now();
        s.options.ranks = ranks;
        CHECK_OK(lw_plan_make(&s.net, &s.options, &plan));
        CHECK(lw_time_now() - begin < 5); /* tenths of a second alone; the machine may be busy */
        double need = 4e9 * -expm1(5e12 / ranks * log1p(-1 / 4e9)), own = 4e9 / ranks;
        CHECK_REL(plan.mean.synapses.mean, 5e12 / ranks, 1e-9);
        CHECK_REL(plan.mean.slots.mean, need, 1e-6);
        CHECK_REL(plan.mean.slots_remote.mean + 1, need * (1 - own / 4e9) + 1, 1e-6);
        CHECK(plan.mean.neighbours.mean <= ranks - 1 + 1e-6);
        CHECK(plan.worst.synapses.mean >= plan.mean.synapses.mean * (1 - 1e-9));
        CHECK_REL(plan.mean.events, plan.mean.slots_remote.mean * 10 * 0.0015, 1e-9); /* epochs of 15 steps, 10 Hz */
        CHECK_REL(plan.mean.bytes, 8 * plan.mean.events, 1e-9);
    }
    s.proj[0].multapses = false;
    s.proj[0].n = s.pop[E].size + 1;
    CHECK_FAILS(lw_plan_make(&s.net, &s.options, &plan), LW_EUSE, "fixed_indegree 4000000001; allowed: 0 to");
    s.proj[0].n = 1000;
    s.options.ranks = 0;
    CHECK_FAILS(lw_plan_make(&s.net, &s.options, &plan), LW_EUSE, "a plan for 0 ranks");
    lw_comm_stop(&world);
}

TEST(weak_scaling_keeps_indegrees) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    for (size_t k = 0; k < sizeof examples / sizeof *examples; k++) {
        setup s;
        lw_net_spec grown;
        lw_plan one, many;
        setup_make(&s, &examples[k], true, LW_PARTITION_BLOCK, 1);
        if (examples[k].rule == LW_RULE_ALL_TO_ALL) {
            CHECK_FAILS(lw_plan_grow(&s.net, 8, &grown), LW_EUSE, "cannot grow with constant in-degree");
            continue;
        }
        if (examples[k].layout != LW_LAYOUT_NONE) {
            CHECK_FAILS(lw_plan_grow(&s.net, 8, &grown), LW_EUSE, "has positions and cannot grow");
            continue;
        }
        CHECK_OK(lw_plan_make(&s.net, &s.options, &one));
        CHECK_OK(lw_plan_grow(&s.net, 8, &grown));
        s.options.ranks = 8;
        CHECK_OK(lw_plan_make(&grown, &s.options, &many));
        CHECK_INT(many.worst.neurons, one.neurons);
        CHECK_REL(many.mean.synapses.mean, one.synapses.mean, 0.02); /* autapses that are left out */
        lw_plan_grown_free(&grown);
    }
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(every_rule_is_foreseen), CASE(given_edges_are_counted), CASE(many_ranks_cost_no_time),
    CASE(weak_scaling_keeps_indegrees))
