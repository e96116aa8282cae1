/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a tape keeps of emitted values: it gives back what was put in, whatever the number of rows and lanes; and of a
 * spiking population of a linear model it keeps one float and one bit per neuron, lane and step.
 */
#include "sweep.h"
#include "world.h"

enum { ROWS = 13, STEPS = 5 };

static void check_shape(past_kind kind, bool f64, int64_t width) {
    bool spikes = kind == PAST_SPIKES;
    static double put[STEPS][ROWS * 130];
    double values[ROWS * 130];
    float floats[ROWS * 130];
    uint32_t list[ROWS];
    int64_t cells = ROWS * width;
    sweep_memory m = {0}, dry = {.dry = true};
    lw_stream draws = lw_stream_start(7, LW_PURPOSE_DATA, (uint64_t)width, 0);
    past p, none;
    CHECK_OK(past_plan(&m, kind, f64, cells, STEPS, "test", &p));
    CHECK_OK(past_plan(&dry, kind, f64, cells, STEPS, "test", &none));
    CHECK_INT(m.bytes, dry.bytes);
    for (int k = STEPS; k-- > 0;) {
        for (int64_t i = 0; i < cells; i++) {
            bool on = i == 0 || lw_stream_uniform(&draws) < 1.0 / (2 + 3 * k);
            put[k][i] = !on ? 0 : spikes || k % 2 ? 1 : 0.25 * (double)(i + 1);
            floats[i] = (float)put[k][i];
        }
        past_put(&p, k, f64 ? (const void *)put[k] : floats);
    }
    for (int k = 0; k < STEPS; k++) {
        const void *x = past_rows(&p, k);
        for (int64_t i = 0; i < cells; i++)
            values[i] = f64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
        CHECK(!memcmp(values, put[k], (size_t)cells * sizeof *values));
        int64_t n = past_list(&p, k, width, list), found = 0;
        for (int64_t r = 0; r < ROWS; r++) {
            bool any = kind == PAST_VALUES;
            for (int64_t l = 0; l < width; l++)
                any = any || put[k][r * width + l] != 0;
            if (any) CHECK(found < n && list[found] == r);
            found += any;
        }
        CHECK_INT(n, found);
        CHECK_INT(past_ones(&p, k), spikes || (kind == PAST_MARKED && k % 2));
        for (int64_t first = 0; kind != PAST_VALUES && first < cells; first += 7) { /* across words */
            int64_t here = cells - first < 64 ? cells - first : 64;
            uint64_t bits = bits_at(past_bits(&p, k), first, here), expected = 0;
            for (int64_t i = 0; i < here; i++)
                expected |= (uint64_t)(put[k][first + i] != 0) << i;
            CHECK(bits == expected);
        }
    }
    sweep_release(&m);
}

TEST(what_was_put_is_found) {
    static const int64_t width[] = {1, 3, 16, 64, 70, 130};
    for (size_t i = 0; i < sizeof width / sizeof *width; i++)
        for (int kind = PAST_SPIKES; kind <= PAST_MARKED; kind++)
            for (int f64 = 0; f64 < 2; f64++)
                check_shape((past_kind)kind, f64, width[i]);
}

/* Spiking neurons with learned recurrent weights; nothing of a linear model but the slope and the spike is needed. */
TEST(one_float_and_one_bit) {
    enum { N = 96, LANES = 16, T = 1000 };
    lw_comm *world = world_start();
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_theta *theta = NULL;
    lw_population_spec pop = {.name = "rec", .model = lw_model_builtin("cuba_lif"), .size = N};
    lw_projection_spec proj = {.rule = LW_RULE_ALL_TO_ALL,
        .autapses = true,
        .learn = true,
        .weight = lw_dist_number(0.1),
        .delay = lw_dist_number(3)};
    lw_net_spec spec = {.seed = 1,
        .dt = 1,
        .n_pop = 1,
        .n_proj = 1,
        .pop = &pop,
        .proj = &proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F32};
    lw_sim_options o = lw_sim_options_default();
    o.width = LANES;
    o.precision = LW_F32;
    CHECK_OK(lw_net_create(world, &spec, &net));
    CHECK_OK(lw_sim_create(net, &o, &sim));
    CHECK_OK(lw_theta_create(net, &theta));
    lw_pop_view v = lw_net_pop(net, 0);
    double more = (double)(lw_tape_bytes(sim, 2 * T, theta) - lw_tape_bytes(sim, T, theta)) / T / LANES;
    double own = (double)v.n_local * (4 + 1.0 / 8), halo = lw_comm_size(world) > 1 ? (double)v.n_slots / 8 : 0;
    CHECK_CLOSE(more, own + halo, 8.0 / LANES * 2); /* a step begins with a word of its own */
    lw_theta_destroy(&theta);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(what_was_put_is_found), CASE(one_float_and_one_bit))
