/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan_report.c: plans and trials as tables to read and as JSON to work with; JSON keys name their units.
 */
#include "plan.h"

#include <stdio.h>

/* A number in four digits and a prefix; base 1000. */
static const char *short_number(double x, const char *unit, char buf[32]) {
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    int k = 0;
    for (; x >= 999.5 && k < 5; k++)
        x /= 1000;
    snprintf(buf, 32,
        x >= 99.95 || (k == 0 && x == (double)(int64_t)x) ? "%.0f %s%s"
        : x >= 9.995                                      ? "%.1f %s%s"
                                                          : "%.2f %s%s",
        x, prefix[k], unit);
    return buf;
}

void plan_table_begin(FILE *out, const lw_plan_machine *machine) {
    fprintf(out, "%8s %10s %10s %18s %10s %10s %10s %8s %10s", "ranks", "neurons", "synapses", "halo slots",
        "neighbours", "memory", "all ranks", "messages", "bytes");
    if (machine) fprintf(out, " %9s %9s %9s %9s %9s", "deliver", "stimulus", "update", "exchange", "x real");
    fprintf(out, "\n%8s %10s %10s %18s %10s %10s %10s %8s %10s", "", "per rank", "per rank", "per rank", "per rank",
        "per rank", "", "per", "exchange");
    if (machine) fprintf(out, " %39s %9s", "microseconds per step", "time");
    fputc('\n', out);
}

void plan_table_row(FILE *out, const lw_plan *plan, double dt, bool times) {
    const lw_plan_rank *r = &plan->worst;
    char a[32], b[32], c[32], d[32], e[32], f[32], halo[80];
    snprintf(halo, sizeof halo, "%s +- %s", short_number(r->slots_remote.mean, "", a),
        short_number(r->slots_remote.error, "", b));
    fprintf(out, "%8d %10s %10s %18s %10.1f %10s %10s %8.1f %10s", plan->ranks, short_number((double)r->neurons, "", a),
        short_number(r->synapses.mean, "", b), halo, r->neighbours.mean, short_number(r->bytes_peak, "B", c),
        short_number(plan->mean.bytes_peak * plan->ranks, "B", d), r->messages, short_number(r->bytes, "B", e));
    if (times)
        fprintf(out, " %9.2f %9.2f %9.2f %9.2f %9s", r->s_deliver * 1e6, r->s_stimulus * 1e6, r->s_update * 1e6,
            r->s_exchange * 1e6, short_number(lw_plan_step_seconds(r) / (dt / 1000), "", f));
    fputc('\n', out);
}

static json_t *with_error(lw_plan_number x) {
    return json_pack("{s:f, s:f}", "mean", x.mean, "error", x.error);
}

static json_t *rank_json(const lw_plan_rank *r, bool times) {
    json_t *o = json_pack("{s:i, s:I, s:o, s:o, s:o, s:o}", "rank", r->rank, "neurons", (json_int_t)r->neurons,
        "synapses", with_error(r->synapses), "slots", with_error(r->slots), "halo_slots", with_error(r->slots_remote),
        "neighbours", with_error(r->neighbours));
    json_object_update_new(
        o, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "bytes_neurons", r->bytes_neurons, "bytes_synapses",
               r->bytes_synapses, "bytes_engine", r->bytes_engine, "peak_rss_bytes", r->bytes_peak,
               "messages_per_exchange", r->messages, "bytes_per_exchange", r->bytes, "events_per_exchange", r->events));
    if (times)
        json_object_set_new(o, "step_s",
            json_pack("{s:f, s:f, s:f, s:f, s:f}", "deliver", r->s_deliver, "stimulus", r->s_stimulus, "update",
                r->s_update, "exchange", r->s_exchange, "all", lw_plan_step_seconds(r)));
    return o;
}

json_t *plan_json(const lw_plan *plan, double dt, bool times) {
    json_t *o = json_pack("{s:i, s:i, s:I, s:o, s:o, s:I, s:b, s:b}", "ranks", plan->ranks, "threads", plan->threads,
        "neurons", (json_int_t)plan->neurons, "synapses", with_error(plan->synapses), "halo_slots",
        with_error(plan->slots_remote), "exchange_every_steps", (json_int_t)plan->epoch_steps, "halo_is_upper_bound",
        (int)plan->halo_is_bound, "halo_is_rough", (int)plan->halo_is_rough);
    json_object_set_new(o, "peak_rss_bytes",
        json_pack("{s:f, s:f}", "sum", plan->mean.bytes_peak * plan->ranks, "max", plan->worst.bytes_peak));
    json_object_set_new(o, "fullest_rank", rank_json(&plan->worst, times));
    json_object_set_new(o, "mean_rank", rank_json(&plan->mean, times));
    if (times) json_object_set_new(o, "realtime_factor", json_real(lw_plan_step_seconds(&plan->worst) / (dt / 1000)));
    return o;
}

static double trial_step(const lw_plan_trial *t) {
    return t->s_deliver + t->s_stimulus + t->s_update + t->s_exchange;
}

void trial_table_begin(FILE *out) {
    fprintf(out, "%8s %8s %10s %10s %10s %10s %10s %8s %9s %9s %9s %9s %9s %9s\n", "rank", "of", "neurons", "synapses",
        "halo slots", "neighbours", "memory", "build s", "deliver", "stimulus", "update", "receive", "messages",
        "x real");
    fprintf(out, "%87s %59s %9s\n", "", "microseconds per step (messages: modelled)", "time");
}

void trial_table_row(FILE *out, const lw_plan_trial *t, double s_messages, double dt) {
    char a[32], b[32], c[32], d[32], e[32];
    fprintf(out, "%8d %8d %10s %10s %10s %10d %10s %8.2f %9.2f %9.2f %9.2f %9.2f %9.2f %9s\n", t->rank, t->ranks,
        short_number((double)t->neurons, "", a), short_number((double)t->synapses, "", b),
        short_number((double)t->slots_remote, "", c), t->neighbours, short_number((double)t->bytes_held, "B", d),
        t->s_build, t->s_deliver * 1e6, t->s_stimulus * 1e6, t->s_update * 1e6, t->s_exchange * 1e6, s_messages * 1e6,
        short_number((trial_step(t) + s_messages) / (dt / 1000), "", e));
}

json_t *trial_json(const lw_plan_trial *t, double s_messages, double dt) {
    json_t *o = json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:i}", "rank", t->rank, "ranks", t->ranks, "neurons",
        (json_int_t)t->neurons, "synapses", (json_int_t)t->synapses, "slots", (json_int_t)t->slots, "halo_slots",
        (json_int_t)t->slots_remote, "neighbours", t->neighbours);
    json_object_update_new(
        o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "bytes_neurons", (json_int_t)t->bytes_neurons,
               "bytes_synapses", (json_int_t)t->bytes_synapses, "bytes_engine", (json_int_t)t->bytes_engine,
               "bytes_held", (json_int_t)t->bytes_held, "steps", (json_int_t)t->steps, "spikes", (json_int_t)t->spikes,
               "synaptic_events", (json_int_t)t->synaptic_events, "build_s", t->s_build, "wall_s", t->s_wall));
    json_object_set_new(o, "step_s",
        json_pack("{s:f, s:f, s:f, s:f, s:f}", "deliver", t->s_deliver, "stimulus", t->s_stimulus, "update",
            t->s_update, "receive", t->s_exchange, "messages_modelled", s_messages));
    json_object_set_new(o, "realtime_factor", json_real((trial_step(t) + s_messages) / (dt / 1000)));
    return o;
}
