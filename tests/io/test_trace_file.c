/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Trace files against the engine's own state, sample by sample, for every rank count; SONATA's mapping.
 */
#include "checkpoint_net.h"
#include "h5.h"

enum { STEPS = 24, EVERY = 4, NODES = 1500, SAMPLES = STEPS / EVERY };

/* [SAMPLES, NODES] potentials of E as the engine has them, added up over ranks. */
static void expected_traces(const lw_comm *world, double *out) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    CHECK_OK(test_net(world, LW_PARTITION_BLOCK, LW_F64, &net));
    CHECK_OK(test_sim(net, &sim));
    lw_pop_view pop = lw_net_pop(net, 0);
    double *x = calloc((size_t)pop.n_local + 1, sizeof *x);
    for (int s = 0; s < SAMPLES; s++) {
        CHECK_OK(lw_sim_advance(sim, EVERY, NULL));
        lw_sim_state_get(sim, 0, 0, x);
        for (int64_t k = 0; k < pop.n_local; k++)
            if (pop.gid[k] < NODES) out[s * NODES + pop.gid[k]] = x[k];
    }
    lw_comm_sum_f64(world, out, SAMPLES * NODES);
    free(x);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

static void traces_write(const lw_comm *world, lw_partition partition) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_trace_file *f = NULL;
    CHECK_OK(test_net(world, partition, LW_F64, &net));
    CHECK_OK(test_sim(net, &sim));
    CHECK_OK(lw_sim_record_trace(sim, 0, 0, EVERY, NODES));
    CHECK_OK(lw_sim_record_trace(sim, 2, 0, 1, -1));
    CHECK_OK(lw_sim_record_trace(sim, 0, 0, EVERY, 3));
    CHECK_OK(lw_trace_file_create(world, scratch_path("traces.h5"), sim, &f));
    for (int part = 0; part < 3; part++) {
        CHECK_OK(lw_sim_advance(sim, STEPS / 3, NULL));
        CHECK_OK(lw_trace_file_append(f, sim));
        CHECK_OK(lw_trace_file_append(f, sim)); /* nothing new */
    }
    CHECK_OK(lw_trace_file_close(&f));
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

static void mapping_check(const lw_h5_reader *r) {
    static int64_t number[NODES + 1];
    static double half[NODES];
    double time[3] = {0};
    CHECK_OK(lw_h5_reader_array(r, "/report/E/mapping/node_ids", H5T_NATIVE_INT64, 0, NODES, number));
    for (int64_t k = 0; k < NODES; k++)
        CHECK_INT(number[k], k);
    CHECK_OK(lw_h5_reader_array(r, "/report/E/mapping/index_pointer", H5T_NATIVE_INT64, 0, NODES + 1, number));
    for (int64_t k = 0; k <= NODES; k++)
        CHECK_INT(number[k], k);
    CHECK_OK(lw_h5_reader_array(r, "/report/E/mapping/element_pos", H5T_NATIVE_DOUBLE, 0, NODES, half));
    CHECK_CLOSE(half[NODES - 1], 0.5, 0);
    CHECK_OK(lw_h5_reader_array(r, "/report/E/mapping/time", H5T_NATIVE_DOUBLE, 0, 3, time));
    CHECK_CLOSE(time[0], EVERY * 0.1, 1e-12);
    CHECK_CLOSE(time[2], EVERY * 0.1, 1e-12);
    CHECK_CLOSE(time[1], (STEPS + EVERY) * 0.1, 1e-12);
    char *text = NULL;
    CHECK_OK(lw_h5_reader_string(r, "/report/E/data", "units", &text));
    CHECK_STR(text, "mV");
    lw_free(text);
    CHECK_OK(lw_h5_reader_string(r, "/report/E/data", "variable_name", &text));
    CHECK_STR(text, "V_m");
    lw_free(text);
}

TEST(traces_are_the_engines_state) {
    static double expected[SAMPLES * NODES], found[SAMPLES * NODES];
    lw_comm *world = test_world();
    lw_h5_reader *r = NULL;
    int64_t n = 0, row = 0;
    scratch_make();
    expected_traces(world, expected);
    for (int kind = 0; kind < 2; kind++) {
        traces_write(world, kind ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK);
        CHECK_OK(lw_h5_reader_open(scratch_path("traces.h5"), &r));
        CHECK_OK(lw_h5_reader_shape(r, "/report/E/data", &n, &row));
        CHECK_INT(n, SAMPLES);
        CHECK_INT(row, NODES);
        CHECK_OK(lw_h5_reader_array(r, "/report/E/data", H5T_NATIVE_DOUBLE, 0, SAMPLES, found));
        for (int64_t i = 0; i < SAMPLES * NODES; i++)
            CHECK_CLOSE(found[i], (float)expected[i], 0);
        CHECK_OK(lw_h5_reader_shape(r, "/report/R/data", &n, &row));
        CHECK_INT(n, STEPS);
        CHECK_INT(row, N_R);
        CHECK_OK(lw_h5_reader_shape(r, "/report/E.V_m/data", &n, &row));
        CHECK_INT(row, 3);
        mapping_check(r);
        lw_h5_reader_close(&r);
        lw_comm_barrier(world);
    }
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(traces_are_the_engines_state))
