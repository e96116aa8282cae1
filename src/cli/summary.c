/* SPDX-License-Identifier: BSD-3-Clause
 *
 * summary.c: the results of a job as JSON: what each stage adds, and what stands around it (versions, ranks, memory,
 * times).
 */
#include "job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

json_t *job_real(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

void job_wall_add(job *j, const char *key, double seconds) {
    json_t *wall = json_object_get(j->results, "wall_s");
    if (!wall) json_object_set_new(j->results, "wall_s", wall = json_object());
    double before = json_number_value(json_object_get(wall, key));
    json_object_set_new(wall, key, json_real(before + seconds));
}

void job_result(job *j, const char *stage, json_t *object, double seconds) {
    job_wall_add(j, stage, seconds);
    json_object_set_new(object, "stage", json_string(stage));
    json_object_set_new(object, "seconds", json_real(seconds));
    json_object_update(j->results, object);
    json_object_del(j->results, "stage");
    json_object_del(j->results, "seconds");
    json_array_append_new(j->stages, object);
}

static void add_memory(job *j) {
    int64_t sum = lw_mem_peak_rss(), max = sum;
    lw_net_stats stats = lw_net_stats_get(j->net);
    int64_t held[2] = {stats.bytes_neurons, stats.bytes_synapses};
    lw_comm_sum_i64(j->world, &sum, 1);
    lw_comm_max_i64(j->world, &max, 1);
    lw_comm_sum_i64(j->net_grid->part, held, 2);
    json_object_set_new(
        j->results, "peak_rss_bytes", json_pack("{s:I, s:I}", "sum", (json_int_t)sum, "max", (json_int_t)max));
    json_object_set_new(j->results, "bytes_per_neuron", json_real((double)held[0] / (double)stats.neurons));
    json_object_set_new(j->results, "bytes_per_synapse",
        stats.synapses ? json_real((double)held[1] / (double)stats.synapses) : json_null());
    json_object_set_new(j->results, "neurons", json_integer(stats.neurons));
    json_object_set_new(j->results, "synapses", json_integer(stats.synapses));
    json_object_set_new(j->results, "halo_slots", json_integer(stats.slots_remote));
}

lw_err job_finish(job *j) {
    lw_err err = LW_OK;
    if (j->net) add_memory(j);
    json_t *wall = json_object_get(j->results, "wall_s");
    if (wall) json_object_set_new(wall, "checkpoint", json_real(j->save_seconds));
    json_object_set_new(j->results, "name", json_string(j->experiment->name));
    json_object_set_new(j->results, "version", json_string(LW_VERSION));
    json_object_set_new(j->results, "command", json_string(j->options->line));
    json_object_set_new(j->results, "seed", json_integer((json_int_t)j->experiment->net.seed));
    json_object_set_new(j->results, "ranks", json_integer(lw_comm_size(j->world)));
    json_object_set_new(j->results, "threads", json_integer(j->experiment->net.threads));
    json_object_set_new(j->results, "replicas", json_integer(j->spread->replicas));
    json_object_set_new(j->results, "out", json_string(j->out));
    if (lw_comm_rank(j->world) == 0) {
        char path[4096], *text = json_dumps(j->results, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
        snprintf(path, sizeof path, "%s/summary.json", j->out);
        if (!text)
            err = LW_FAIL(LW_EMEM, "no memory for summary.json");
        else
            err = lw_text_save(path, text);
        if (err == LW_OK && j->options->json) {
            char *line = json_dumps(j->results, JSON_COMPACT | JSON_REAL_PRECISION(15));
            printf("%s\n", line ? line : "{}");
            free(line);
        }
        if (err == LW_OK) lw_log(LW_LOG_INFO, "results in %s/summary.json", j->out);
        free(text);
    }
    return lw_comm_agree(j->world, err);
}
