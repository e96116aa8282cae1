/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is refused, and that the message names it, the value found and the values allowed; on every rank alike, also
 * when one rank alone is at fault. Levels of populations, and cycles without delay.
 */
#include "fixture.h"

static lw_population_spec pops[3];
static lw_projection_spec proj[3];
static lw_dist param[2], init[2];
static uint8_t has_init[2] = {1, 0};
static lw_net_spec spec;

/* A correct specification to spoil. */
static void good(void) {
    param[TAU] = lw_dist_number(20);
    param[BIAS] = lw_dist_number(0);
    init[V] = lw_dist_number(0);
    pops[0] = (lw_population_spec){
        .name = "a", .model = &toy, .size = 10, .param = param, .init = init, .has_init = has_init};
    pops[1] = (lw_population_spec){.name = "b", .model = &toy, .size = 6};
    pops[2] = (lw_population_spec){.name = "c", .model = &toy, .size = 6};
    proj[0] = plain(0, 1, LW_RULE_FIXED_INDEGREE, 3, 0);
    proj[1] = plain(1, 2, LW_RULE_ONE_TO_ONE, 0, 0);
    proj[2] = plain(2, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.5);
    spec = (lw_net_spec){.seed = 1, .dt = 0.1, .n_pop = 3, .n_proj = 3, .pop = pops, .proj = proj};
}

/* The message contains all of the texts (NULL: fewer). */
static void refuse(const char *t1, const char *t2, const char *t3) {
    const char *text[] = {t1, t2, t3};
    lw_net *net = NULL;
    CHECK_INT(lw_net_create(world(), &spec, &net), LW_EUSE);
    CHECK(net == NULL);
    for (int i = 0; i < 3; i++) {
        if (!text[i] || strstr(lw_err_message(), text[i])) continue;
        fprintf(stderr, "message \"%s\" does not contain \"%s\"\n", lw_err_message(), text[i]);
        CHECK(!"message complete");
    }
    lw_err_clear();
    good();
}

TEST(good_is_good) {
    good();
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    lw_net_destroy(&net);
}

TEST(populations) {
    good();
    pops[1].size = 0;
    refuse("\"b\"", "size 0", "1 to 4294967295");
    pops[1].size = INT64_C(1) << 33;
    refuse("\"b\"", "size 8589934592", "1 to 4294967295");
    pops[1].name = "a";
    refuse("\"a\"", "differ", NULL);
    pops[2].name = "";
    refuse("population 2", "no name", NULL);
    pops[2].model = NULL;
    refuse("\"c\"", "no model", NULL);
    param[TAU] = lw_dist_number(-3);
    refuse("\"a\"", "tau", "-3");
    param[TAU] = dist(LW_DIST_NORMAL, 0, 1); /* some draws are negative */
    refuse("\"a\"", "tau", NULL);
    param[TAU] = dist(LW_DIST_GAMMA, -1, 1);
    refuse("\"a\"", "tau", "shape -1");
    param[TAU] = dist(LW_DIST_UNIFORM, 3, 1);
    refuse("\"a\"", "tau", "from 3 to 1");
    param[BIAS] =
        (lw_dist){.kind = LW_DIST_LIST, .lo = -INFINITY, .hi = INFINITY, .list = (double[]){1, 2}, .n_list = 2};
    refuse("bias", "2 values", "10 values");
    init[V] = lw_dist_number(NAN);
    refuse("\"a\"", "initial v", "nan");
    spec.dt = 0;
    refuse("time step 0", "above 0", NULL);
    spec.n_pop = 0;
    refuse("0 populations", NULL, NULL);
}

TEST(projections) {
    good();
    proj[1].post = 3;
    refuse("projection 1", "to 3", "0 to 2");
    proj[0].port = 2;
    refuse("\"a\" to \"b\"", "port 2", "2 input(s)");
    proj[0].name = "same", proj[1].name = "same";
    refuse("\"same\"", "taken", NULL);
    proj[0].n = 11, proj[0].multapses = false, proj[0].name = "drive";
    refuse("\"drive\"", "fixed_indegree 11", "0 to 10");
    proj[0].post = 0, proj[0].n = 10, proj[0].multapses = proj[0].autapses = false;
    refuse("fixed_indegree 10", "0 to 9", "no autapses");
    proj[0].n = -1;
    refuse("fixed_indegree -1", NULL, NULL);
    proj[0].rule = LW_RULE_FIXED_OUTDEGREE, proj[0].n = 7, proj[0].multapses = false;
    refuse("fixed_outdegree 7", "0 to 6", "\"b\"");
    proj[0].rule = LW_RULE_FIXED_TOTAL_NUMBER, proj[0].n = 61, proj[0].multapses = false;
    refuse("fixed_total_number 61", "0 to 60", "10 sources, 6 targets");
    proj[0].rule = LW_RULE_FIXED_TOTAL_NUMBER, proj[0].post = 0, proj[0].n = 91;
    proj[0].multapses = proj[0].autapses = false;
    refuse("fixed_total_number 91", "0 to 90", "no autapses");
    proj[0].rule = LW_RULE_FIXED_TOTAL_NUMBER, proj[0].n = -2;
    refuse("fixed_total_number -2", NULL, NULL);
    proj[1].pre = 0;
    refuse("one_to_one", "10 and 6", "equal sizes");
    proj[1].pre = 2, proj[1].autapses = false;
    refuse("one_to_one", "autapses", NULL);
    proj[2].p = 1.5;
    refuse("pairwise_bernoulli", "1.5", "0 to 1");
    proj[2].rule = LW_RULE_SMALL_WORLD, proj[2].n = 4;
    refuse("small_world", "\"c\"", "within one population");
    proj[2].rule = LW_RULE_SMALL_WORLD, proj[2].pre = 0, proj[2].n = 5;
    refuse("small_world", "5 neighbours", "even number from 0 to 9");
    proj[2].rule = LW_RULE_SMALL_WORLD, proj[2].pre = 0, proj[2].n = 10;
    refuse("small_world", "10 neighbours", "even number from 0 to 9");
    proj[2].weight = lw_dist_number(INFINITY);
    refuse("weight", "inf", "finite");
    proj[2].weight = (lw_dist){.kind = LW_DIST_LIST, .lo = -INFINITY, .hi = INFINITY, .n_list = 3};
    refuse("weight", "list of 3", "not allowed");
    proj[2].delay = lw_dist_number(-1);
    refuse("delay", "-1 ms", "0 to");
    proj[2].delay = lw_dist_number(1e9);
    refuse("delay", "1e+09 ms", "104858 ms");
    proj[2].delay = dist(LW_DIST_UNIFORM, 1e8, 2e8);
    refuse("\"c_a\"", "drawn delay", "104858 ms");
}

/* The last rank alone gives a wrong edge. */
TEST(edges) {
    bool last = lw_comm_rank(world()) == lw_comm_size(world()) - 1;
    static const struct {
        lw_edge edge;
        const char *found, *allowed;
    } bad[] = {{{6, 0, 1, {1}, 0}, "target 6", "0 to 5"}, {{0, -1, 1, {1}, 0}, "source -1", "0 to 9"},
        {{0, 0, NAN, {1}, 0}, "nan", "finite"}, {{0, 0, 1, {-1}, 0}, "-1 steps", "0 to"}};
    for (int i = 0; i < 4; i++) {
        good();
        proj[0].rule = LW_RULE_EDGES;
        proj[0].edges = &bad[i].edge;
        proj[0].n_edges = last;
        refuse("a_b", bad[i].found, bad[i].allowed);
    }
    static const lw_edge twice[] = {{5, 3, 1, {1}, 2}, {5, 3, 2, {1}, 2}};
    good();
    proj[0].rule = LW_RULE_EDGES;
    proj[0].edges = twice;
    proj[0].n_edges = last ? 2 : 0;
    refuse("a_b", "target 5 from source 3", "order 2");
}

/* Ranks that disagree would build different networks, or wait for one another for ever. */
TEST(specifications_must_agree) {
    good();
    if (lw_comm_size(world()) == 1) return;
    double other = lw_comm_rank(world());
    proj[2].weight = lw_dist_number(other);
    refuse("different specifications", NULL, NULL);
    pops[1].size += (int64_t)other, pops[2].size += (int64_t)other;
    refuse("different specifications", NULL, NULL);
    spec.seed += (uint64_t)other;
    refuse("different specifications", NULL, NULL);
}

TEST(levels_are_longest_paths) {
    static lw_population_spec chain[5];
    lw_projection_spec p[7];
    static const int from[] = {0, 1, 0, 2, 3, 4, 4}, to[] = {1, 2, 2, 3, 1, 4, 0}, level[] = {0, 1, 2, 3, 0};
    for (int i = 0; i < 5; i++)
        chain[i] = (lw_population_spec){.name = (const char *[]){"v", "w", "x", "y", "z"}[i], .model = &toy, .size = 4};
    for (int i = 0; i < 7; i++) {
        p[i] = plain(from[i], to[i], LW_RULE_FIXED_INDEGREE, 2, 0);
        p[i].delay = lw_dist_number(i < 4 ? 0 : 1);
    }
    lw_net_spec s = {.seed = 1, .dt = 0.1, .n_pop = 5, .n_proj = 7, .pop = chain, .proj = p};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &s, &net));
    CHECK_INT(lw_net_n_levels(net), 4);
    for (int i = 0; i < 5; i++)
        CHECK_INT(lw_net_pop(net, i).level, level[i]);
    CHECK_INT(lw_net_delay_min(net), 10);
    lw_net_destroy(&net);
    p[4].delay = lw_dist_number(0);
    CHECK_FAILS(lw_net_create(world(), &s, &net), LW_EUSE, "cycle w -> x -> y -> w;");
    p[4].delay = lw_dist_number(1);
    p[5].delay = lw_dist_number(0);
    CHECK_FAILS(lw_net_create(world(), &s, &net), LW_EUSE, "cycle z -> z;");
}

/* Delays that are 0 in the drawn numbers only are found too. */
TEST(drawn_cycles_are_found) {
    good();
    for (int i = 0; i < 3; i++)
        proj[i].delay = (lw_dist){.kind = LW_DIST_NORMAL, .p = {0, 1}, .lo = 0, .hi = INFINITY};
    refuse("a -> b -> c -> a", "above 0", NULL);
}

CHECK_MAIN(CASE(good_is_good), CASE(populations), CASE(projections), CASE(edges), CASE(specifications_must_agree),
    CASE(levels_are_longest_paths), CASE(drawn_cycles_are_found))
