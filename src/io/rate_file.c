/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rates of populations over time: /rates/<population> with `rate` (Hz) and `spikes` of consecutive bins, `neurons` as
 * an attribute; `start_ms` (beginning of the first bin) and `every_ms` on /rates. Counts arrive summed over ranks; rank
 * 0 gives the data of the collective writes.
 */
#include "checkpoint.h"

struct lw_rate_file {
    const lw_comm *comm;
    const lw_net *net;
    lw_h5_writer *writer;
    bool *pop; /* [n_pop] */
    bool begun;
};

static lw_err pop_create(lw_h5_writer *w, const lw_pop_view *pop) {
    checkpoint_path group = checkpoint_at("/rates/%s", checkpoint_name(pop->name).text);
    checkpoint_path rate = checkpoint_at("%s/rate", group.text), spikes = checkpoint_at("%s/spikes", group.text);
    LW_TRY(lw_h5_writer_group(w, group.text));
    LW_TRY(lw_h5_writer_i64(w, group.text, "neurons", pop->size));
    lw_h5_array array = {
        .path = rate.text, .type = H5T_NATIVE_DOUBLE, .unit = "Hz", .about = "spikes per neuron and second"};
    LW_TRY(lw_h5_writer_series(w, &array));
    array =
        (lw_h5_array){.path = spikes.text, .type = H5T_NATIVE_INT64, .about = "spikes of the population in the bin"};
    return lw_h5_writer_series(w, &array);
}

static lw_err file_begin(lw_rate_file *f) {
    LW_TRY(lw_h5_writer_head(f->writer, "lapwing-rates"));
    LW_TRY(lw_h5_writer_group(f->writer, "/rates"));
    for (int p = 0; p < lw_net_n_pop(f->net); p++) {
        lw_pop_view pop = lw_net_pop(f->net, p);
        if (f->pop[p]) LW_TRY(pop_create(f->writer, &pop));
    }
    return LW_OK;
}

static void file_free(lw_rate_file *f) {
    if (f) lw_free(f->pop);
    lw_free(f);
}

lw_err lw_rate_file_create(const lw_comm *comm, const char *path, lw_sim *sim, const uint8_t *pop, lw_rate_file **out) {
    lw_rate_file *f = NULL;
    lw_net *net = lw_sim_net(sim);
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *f, "a rate file", &f);
    if (err == LW_OK) err = lw_alloc((size_t)lw_net_n_pop(net), sizeof *f->pop, "a rate file", &f->pop);
    if (err == LW_OK) err = checkpoint_names_check(net);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        f->comm = comm;
        f->net = net;
        for (int p = 0; p < lw_net_n_pop(net); p++)
            f->pop[p] = pop[p] && lw_net_pop(net, p).model->emits_spikes;
        err = lw_h5_writer_create(comm, path, &f->writer);
    }
    if (err == LW_OK) err = file_begin(f);
    if (err != LW_OK) {
        if (f) lw_h5_writer_abandon(&f->writer);
        file_free(f);
        return err;
    }
    *out = f;
    return LW_OK;
}

/* value: [n_bins] scratch of 8 bytes each, on rank 0 */
static lw_err pop_append(lw_rate_file *f, int p, const lw_counts_view *counts, void *value) {
    lw_pop_view pop = lw_net_pop(f->net, p);
    checkpoint_path group = checkpoint_at("/rates/%s", checkpoint_name(pop.name).text);
    int n_pop = lw_net_n_pop(f->net);
    bool root = lw_comm_rank(f->comm) == 0;
    lw_h5_part part = {.n_new = counts->n_bins, .n = root ? counts->n_bins : 0, .n_columns = 1};
    double *rate = value, seconds = (double)pop.size * (double)counts->every * lw_net_dt(f->net) / 1000;
    int64_t *spikes = value;
    for (int64_t b = 0; b < part.n; b++)
        rate[b] = (double)counts->count[b * n_pop + p] / seconds;
    LW_TRY(lw_h5_writer_extend(f->writer, checkpoint_at("%s/rate", group.text).text, H5T_NATIVE_DOUBLE, &part, value));
    for (int64_t b = 0; b < part.n; b++)
        spikes[b] = counts->count[b * n_pop + p];
    return lw_h5_writer_extend(f->writer, checkpoint_at("%s/spikes", group.text).text, H5T_NATIVE_INT64, &part, value);
}

lw_err lw_rate_file_append(lw_rate_file *f, lw_sim *sim) {
    lw_counts_view counts = {0};
    double dt = lw_net_dt(f->net);
    void *value = NULL;
    LW_TRY(lw_sim_counts_take(sim, &counts));
    if (counts.n_bins == 0) return LW_OK; /* on all ranks alike */
    if (!f->begun) {
        LW_TRY(lw_h5_writer_f64(f->writer, "/rates", "start_ms", (double)(counts.first_bin * counts.every) * dt));
        LW_TRY(lw_h5_writer_f64(f->writer, "/rates", "every_ms", (double)counts.every * dt));
        f->begun = true;
    }
    lw_err err = lw_comm_agree(f->comm, lw_alloc((size_t)counts.n_bins, 8, "rates to write", &value));
    for (int p = 0; p < lw_net_n_pop(f->net) && err == LW_OK; p++)
        if (f->pop[p]) err = pop_append(f, p, &counts, value);
    lw_free(value);
    return err;
}

lw_err lw_rate_file_close(lw_rate_file **file) {
    lw_rate_file *f = *file;
    if (!f) return LW_OK;
    lw_err err = lw_h5_writer_close(&f->writer);
    file_free(f);
    *file = NULL;
    return err;
}
