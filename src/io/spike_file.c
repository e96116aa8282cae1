/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Spikes in SONATA's format: /spikes/<population> with timestamps (ms) and node_ids (index in the population), sorted
 * by time, ties by node. A step that ends at time t is stamped t: timestamps are (step + 1) dt, as in NEST.
 *
 * An append is sorted over ranks by steps: the range of steps is cut into buckets, which are dealt out so that every
 * rank gets about as many spikes; a bucket goes to one rank, which sorts what it has.
 */
#include <stdlib.h>
#include <string.h>
#include "checkpoint.h"
#include "sonata.h"

enum { BUCKETS = 4096 };

struct lw_spike_file {
    const lw_net *net;
    const lw_comm *comm;
    lw_h5_writer *writer;
};

static herr_t sorting_write(hid_t file, const char *path) {
    static const char *const name[] = {"none", "by_id", "by_time"};
    uint8_t by_time = 2;
    hid_t group = H5Gopen2(file, path, H5P_DEFAULT), type = H5Tenum_create(H5T_NATIVE_UINT8);
    herr_t status = group < 0 || type < 0 ? -1 : 0;
    for (uint8_t v = 0; v < 3 && status >= 0; v++)
        status = H5Tenum_insert(type, name[v], &v);
    if (status >= 0) status = lw_h5_attribute(group, "sorting", type, &by_time);
    if (type >= 0) (void)H5Tclose(type);
    if (group >= 0) (void)H5Gclose(group);
    return status;
}

static lw_err pop_create(lw_h5_writer *w, const char *name) {
    checkpoint_path group = checkpoint_at("/spikes/%s", checkpoint_name(name).text);
    checkpoint_path times = checkpoint_at("%s/timestamps", group.text),
                    nodes = checkpoint_at("%s/node_ids", group.text);
    LW_TRY(lw_h5_writer_group(w, group.text));
    LW_TRY(lw_h5_writer_outcome(w, sorting_write(lw_h5_writer_file(w), group.text), "the order of spikes"));
    lw_h5_array array = {.path = times.text, .type = H5T_NATIVE_DOUBLE, .unit = "ms", .about = "time of the spike"};
    LW_TRY(lw_h5_writer_series(w, &array));
    array =
        (lw_h5_array){.path = nodes.text, .type = H5T_NATIVE_UINT64, .about = "index of the neuron in its population"};
    return lw_h5_writer_series(w, &array);
}

static lw_err file_begin(lw_spike_file *f) {
    LW_TRY(lw_h5_writer_head(f->writer, "lapwing-spikes"));
    LW_TRY(lw_sonata_head(f->writer));
    LW_TRY(lw_h5_writer_group(f->writer, "/spikes"));
    for (int p = 0; p < lw_net_n_pop(f->net); p++) {
        lw_pop_view pop = lw_net_pop(f->net, p);
        if (pop.model->emits_spikes) LW_TRY(pop_create(f->writer, pop.name));
    }
    return LW_OK;
}

lw_err lw_spike_file_create(const lw_comm *comm, const char *path, const lw_net *net, lw_spike_file **out) {
    lw_spike_file *f = NULL;
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *f, "a spike file", &f);
    if (err == LW_OK) err = checkpoint_names_check(net);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        f->net = net;
        f->comm = comm;
        err = lw_h5_writer_create(comm, path, &f->writer);
    }
    if (err == LW_OK) err = file_begin(f);
    if (err != LW_OK) {
        if (f) lw_h5_writer_abandon(&f->writer);
        lw_free(f);
        return err;
    }
    *out = f;
    return LW_OK;
}

/* ---- sorting over ranks */

/* Bucket of a step within [first, last]. */
static int64_t bucket_of(int64_t step, int64_t first, int64_t last) {
    int64_t width = (last - first) / BUCKETS + 1;
    return (step - first) / width;
}

/* owner[bucket]: ranks ascend with buckets, each with about the same number of spikes. */
static void buckets_deal(const int64_t count[BUCKETS], int size, int32_t owner[BUCKETS]) {
    int64_t total = 0, before = 0;
    for (int b = 0; b < BUCKETS; b++)
        total += count[b];
    for (int b = 0; b < BUCKETS; b++) {
        int64_t middle = before + count[b] / 2;
        owner[b] = total ? (int32_t)(middle * size / total) : 0;
        if (owner[b] >= size) owner[b] = size - 1;
        before += count[b];
    }
}

static int by_step_then_gid(const void *a, const void *b) {
    const lw_spike *x = a, *y = b;
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    return x->gid < y->gid ? -1 : x->gid > y->gid;
}

/* **Collective**. *out: this rank's stretch of the sorted spikes of all. */
static lw_err spikes_sort(const lw_comm *comm, const lw_spike *spike, int64_t n, lw_spike **out, int64_t *n_out) {
    int64_t range[2] = {INT64_MIN, INT64_MIN}, *count = NULL; /* minus the first step, the last step */
    int32_t *dest = NULL, owner[BUCKETS];
    for (int64_t i = 0; i < n; i++) {
        if (-spike[i].step > range[0]) range[0] = -spike[i].step;
        if (spike[i].step > range[1]) range[1] = spike[i].step;
    }
    lw_comm_max_i64(comm, range, 2);
    lw_err err = lw_alloc(BUCKETS, sizeof *count, "spikes to sort", &count);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *dest, "spikes to sort", &dest);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int64_t i = 0; i < n; i++)
        count[bucket_of(spike[i].step, -range[0], range[1])]++;
    lw_comm_sum_i64(comm, count, BUCKETS);
    buckets_deal(count, lw_comm_size(comm), owner);
    for (int64_t i = 0; i < n; i++)
        dest[i] = owner[bucket_of(spike[i].step, -range[0], range[1])];
    LW_TRY_TO(lw_comm_route(comm, n, dest, spike, sizeof *spike, (void **)out, n_out, NULL), done);
    if (*n_out) qsort(*out, (size_t)*n_out, sizeof **out, by_step_then_gid);
done:
    lw_free(dest);
    lw_free(count);
    return err;
}

/* ---- writing; value: [n] scratch of 8 bytes each */

static lw_err pop_append(lw_spike_file *f, int p, const lw_spike *spike, int64_t n, void *value) {
    lw_pop_view pop = lw_net_pop(f->net, p);
    checkpoint_path name = checkpoint_name(pop.name);
    double *time = value, dt = lw_net_dt(f->net);
    uint64_t *node = value;
    int64_t mine = 0;
    if (!pop.model->emits_spikes) return LW_OK;
    for (int64_t i = 0; i < n; i++)
        if (spike[i].gid >= pop.gid_begin && spike[i].gid < pop.gid_begin + pop.size)
            time[mine++] = (double)(spike[i].step + 1) * dt;
    lw_h5_part part = {.n_new = mine, .lo = lw_comm_exscan_i64(f->comm, mine), .n = mine, .n_columns = 1};
    lw_comm_sum_i64(f->comm, &part.n_new, 1);
    LW_TRY(lw_h5_writer_extend(
        f->writer, checkpoint_at("/spikes/%s/timestamps", name.text).text, H5T_NATIVE_DOUBLE, &part, value));
    mine = 0;
    for (int64_t i = 0; i < n; i++)
        if (spike[i].gid >= pop.gid_begin && spike[i].gid < pop.gid_begin + pop.size)
            node[mine++] = (uint64_t)(spike[i].gid - pop.gid_begin);
    return lw_h5_writer_extend(
        f->writer, checkpoint_at("/spikes/%s/node_ids", name.text).text, H5T_NATIVE_UINT64, &part, value);
}

lw_err lw_spike_file_append(lw_spike_file *file, const lw_spike *spikes, int64_t n) {
    lw_spike *sorted = NULL;
    void *value = NULL;
    int64_t n_sorted = 0;
    LW_TRY(spikes_sort(file->comm, spikes, n, &sorted, &n_sorted));
    lw_err err = lw_comm_agree(file->comm, lw_alloc((size_t)n_sorted, 8, "spikes to write", &value));
    for (int p = 0; p < lw_net_n_pop(file->net) && err == LW_OK; p++)
        err = pop_append(file, p, sorted, n_sorted, value);
    lw_free(value);
    lw_free(sorted);
    return err;
}

lw_err lw_spike_file_close(lw_spike_file **file) {
    lw_spike_file *f = *file;
    if (!f) return LW_OK;
    lw_err err = lw_h5_writer_close(&f->writer);
    lw_free(f);
    *file = NULL;
    return err;
}
