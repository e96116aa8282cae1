/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lw_inspect tells what is in every kind of file, in lines and as JSON, and that a damaged one is damaged.
 */
#include <jansson.h>
#include "checkpoint_net.h"
#include "h5.h"

static void contains(const char *text, const char *part) {
    if (!text || !strstr(text, part)) {
        fprintf(stderr, "\"%s\" is not in:\n%s\n", part, text ? text : "(null)");
        CHECK(!"the description lacks something");
    }
}

static void files_write(const lw_comm *world) {
    test_run run;
    lw_trace_file *traces = NULL;
    lw_rate_file *rates = NULL;
    static const uint8_t only_e[3] = {1, 0, 0};
    lw_spike_file *spikes = NULL;
    double one[1] = {-0.25};
    lw_lyapunov l = {.k = 1,
        .dimension = 7,
        .exponent = one,
        .stderr_ = one,
        .exponent_step = one,
        .ln_r_sum = one,
        .kaplan_yorke = 3};
    (void)test_run_here(world, lw_comm_size(world), &run);
    test_run_start(&run, LW_PARTITION_BLOCK, LW_F32);
    CHECK_OK(lw_sim_record_trace(run.sim, 0, 0, 2, 10));
    CHECK_OK(lw_trace_file_create(world, scratch_path("traces.h5"), run.sim, &traces));
    CHECK_OK(lw_sim_record_counts(run.sim, 5));
    CHECK_OK(lw_rate_file_create(world, scratch_path("rates.h5"), run.sim, only_e, &rates));
    CHECK_OK(lw_sim_advance(run.sim, 40, NULL));
    CHECK_OK(lw_rate_file_append(rates, run.sim));
    CHECK_OK(lw_rate_file_close(&rates));
    CHECK_OK(lw_trace_file_append(traces, run.sim));
    CHECK_OK(lw_trace_file_close(&traces));
    CHECK_OK(lw_spike_file_create(world, scratch_path("spikes.h5"), run.net, &spikes));
    CHECK_OK(lw_spike_file_close(&spikes));
    CHECK_OK(lw_lyapunov_save(world, scratch_path("lyapunov.h5"), "dense", false, &l, run.net));
    lw_checkpoint_content c = {.experiment_name = "my.yaml",
        .stage = "simulate",
        .step = 40,
        .net = run.net,
        .sim = run.sim,
        .command = "lapwing run my.yaml"};
    CHECK_OK(lw_checkpoint_write(run.grid, scratch_path("c"), &c, 1, NULL));
    test_run_end(&run);
}

TEST(every_kind_is_described) {
    lw_comm *world = test_world();
    char *text = NULL;
    scratch_make();
    files_write(world);
    CHECK_OK(lw_inspect(scratch_path("c/checkpoint.h5"), false, &text));
    contains(text, "whole");
    contains(text, "step 40 of my.yaml, stage simulate (not finished)");
    contains(text, "population I/2: 300 neurons of lif_delta");
    contains(text, "synapses from E to R.x, learning");
    contains(text, "state of a simulation at step 40");
    contains(text, "lapwing run my.yaml");
    CHECK(text && text[strlen(text) - 1] != '\n');
    lw_free(text);
    CHECK_OK(lw_inspect(scratch_path("spikes.h5"), false, &text));
    contains(text, "population E: 0 spikes");
    lw_free(text);
    CHECK_OK(lw_inspect(scratch_path("rates.h5"), false, &text));
    contains(text, "whole");
    contains(text, "rates E: 8 bins of 0.5 ms, 2600 neurons");
    lw_free(text);
    CHECK_OK(lw_inspect(scratch_path("traces.h5"), false, &text));
    contains(text, "report E: V_m (mV), 20 samples of 10 neurons");
    lw_free(text);
    CHECK_OK(lw_inspect(scratch_path("lyapunov.h5"), false, &text));
    contains(text, "spectrum dense: 1 exponents of 7, largest -0.25 per ms, Kaplan-Yorke dimension 3");
    lw_free(text);
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(json_and_damage) {
    lw_comm *world = test_world();
    char *text = NULL;
    size_t n = 0;
    scratch_make();
    files_write(world);
    CHECK_OK(lw_inspect(scratch_path("c/checkpoint-40.h5"), true, &text));
    json_t *found = json_loads(text ? text : "", 0, NULL);
    CHECK(json_is_true(json_object_get(found, "whole")));
    CHECK_STR(json_string_value(json_object_get(found, "format")), "lapwing-checkpoint");
    CHECK_INT(json_integer_value(json_object_get(found, "step")), 40);
    json_t *network = json_object_get(found, "network");
    CHECK_INT(json_integer_value(json_object_get(network, "neurons")), N_E + N_I + N_R);
    CHECK_INT(json_array_size(json_object_get(network, "populations")), 3);
    CHECK_INT(json_array_size(json_object_get(network, "projections")), 5);
    json_decref(found);
    lw_free(text);
    lw_comm_barrier(world);
    if (check_rank() == 0) { /* the last byte of the last array's data */
        lw_h5_reader *r = NULL;
        CHECK_OK(lw_h5_reader_open(scratch_path("c/checkpoint.h5"), &r));
        hid_t dataset = H5Dopen2(lw_h5_reader_file(r), "/network/populations/E/origin", H5P_DEFAULT);
        int64_t at = (int64_t)H5Dget_offset(dataset) + 8 * N_E - 1;
        H5Dclose(dataset);
        lw_h5_reader_close(&r);
        char *data = scratch_read(scratch_path("c/checkpoint.h5"), &n);
        data[at] ^= 4;
        scratch_write(scratch_path("c/checkpoint.h5"), data, n);
        free(data);
    }
    lw_comm_barrier(world);
    CHECK_FAILS(lw_inspect(scratch_path("c/checkpoint.h5"), false, &text), LW_EFILE, "/network/populations/E/origin");
    contains(text, "NOT whole");
    contains(text, "population E: 2600 neurons");
    lw_free(text);
    CHECK_FAILS(lw_inspect(scratch_path("c/checkpoint.h5"), true, &text), LW_EFILE, "items 2048 to 2599");
    contains(text, "\"whole\": false");
    lw_free(text);
    CHECK_FAILS(lw_inspect(scratch_path("none.h5"), false, &text), LW_EFILE, "none.h5: missing");
    CHECK(text == NULL);
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(every_kind_is_described), CASE(json_and_damage))
