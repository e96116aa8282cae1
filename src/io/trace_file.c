/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Traces as SONATA node reports: /report/<population> (its first variable; further ones as <population>.<variable>)
 * with data [time, node] and a mapping. A sample taken after step t is stamped (t + 1) dt, as spikes are.
 */
#include <string.h>
#include "checkpoint.h"
#include "slab.h"
#include "sonata.h"

typedef struct report {
    checkpoint_path group;
    int pop;
    lw_choice who;
    int64_t pop_size;
    int64_t n_nodes, every, first_step, n_samples; /* whole network; samples so far */
} report;

struct lw_trace_file {
    const lw_comm *comm;
    double dt;
    lw_h5_writer *writer;
    int n;
    report *report; /* [n] */
};

/* Traces of one variable each; the first of a population has its plain name. */
static void report_name(lw_trace_file *f, lw_sim *sim, int i, const lw_trace_view *view) {
    lw_pop_view pop = lw_net_pop(lw_sim_net(sim), view->pop);
    checkpoint_path name = checkpoint_name(pop.name);
    bool first = true;
    for (int k = 0; k < i; k++)
        first = first && f->report[k].pop != view->pop;
    f->report[i].group = first ? checkpoint_at("/report/%s", name.text)
                               : checkpoint_at("/report/%s.%s", name.text, pop.model->state[view->state].name);
    for (int k = 0; k < i; k++)
        if (strcmp(f->report[k].group.text, f->report[i].group.text) == 0) /* the same variable asked for twice */
            f->report[i].group = checkpoint_at("/report/%s.%s.%d", name.text, pop.model->state[view->state].name, i);
}

static lw_err report_create(lw_trace_file *f, lw_sim *sim, int i) {
    lw_trace_view view = lw_sim_trace_take(sim, i);
    lw_pop_view pop = lw_net_pop(lw_sim_net(sim), view.pop);
    const lw_model_name *state = &pop.model->state[view.state];
    report *r = &f->report[i];
    report_name(f, sim, i, &view);
    r->pop = view.pop;
    r->every = view.every;
    r->who = *view.who;
    r->pop_size = pop.size;
    r->n_nodes = lw_choice_size(view.who, pop.size);
    LW_TRY(lw_h5_writer_group(f->writer, r->group.text));
    checkpoint_path path = checkpoint_at("%s/data", r->group.text), unit = checkpoint_unit(state->unit, state->scale);
    lw_h5_array array = {
        .path = path.text, .type = H5T_NATIVE_FLOAT, .row = r->n_nodes, .unit = unit.text, .about = state->about};
    LW_TRY(lw_h5_writer_series(f->writer, &array));
    return lw_h5_writer_string(f->writer, path.text, "variable_name", state->name);
}

static lw_err file_begin(lw_trace_file *f, lw_sim *sim) {
    LW_TRY(lw_h5_writer_head(f->writer, "lapwing-traces"));
    LW_TRY(lw_sonata_head(f->writer));
    LW_TRY(lw_h5_writer_group(f->writer, "/report"));
    for (int i = 0; i < f->n; i++)
        LW_TRY(report_create(f, sim, i));
    return LW_OK;
}

static void file_free(lw_trace_file *f) {
    if (f) lw_free(f->report);
    lw_free(f);
}

lw_err lw_trace_file_create(const lw_comm *comm, const char *path, lw_sim *sim, lw_trace_file **out) {
    lw_trace_file *f = NULL;
    int n = lw_sim_n_traces(sim);
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *f, "a trace file", &f);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *f->report, "a trace file", &f->report);
    if (err == LW_OK) err = checkpoint_names_check(lw_sim_net(sim));
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        f->comm = comm;
        f->dt = lw_net_dt(lw_sim_net(sim));
        f->n = n;
        err = lw_h5_writer_create(comm, path, &f->writer);
    }
    if (err == LW_OK) err = file_begin(f, sim);
    if (err != LW_OK) {
        if (f) lw_h5_writer_abandon(&f->writer);
        file_free(f);
        return err;
    }
    *out = f;
    return LW_OK;
}

/* Samples of this rank's neurons, [n_samples, n_neurons], to this rank's slab of columns, float [n_samples, hi - lo].
 * **Collective** */
static lw_err columns_gather(const lw_trace_file *f, const report *r, const lw_trace_view *view, const lw_pop_view *pop,
    lw_slab slab, float **out) {
    int64_t n = view->n_neurons, samples = view->n_samples, *index = NULL;
    float *mine = NULL;
    void *arrived = NULL;
    size_t row_bytes = (size_t)samples * sizeof *mine;
    lw_err err = lw_alloc((size_t)n, row_bytes, "traces to write", &mine);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *index, "traces to write", &index);
    if (err == LW_OK) err = lw_alloc((size_t)(slab.hi - slab.lo), row_bytes, "traces to write", out);
    LW_TRY_TO(lw_comm_agree(f->comm, err), done);
    for (int64_t k = 0; k < n; k++) {
        index[k] = lw_choice_place(&r->who, pop->size, view->gid[k] - pop->gid_begin);
        for (int64_t s = 0; s < samples; s++)
            mine[k * samples + s] = (float)view->sample[s * n + k];
    }
    LW_TRY_TO(lw_slab_gather(f->comm, (lw_span){r->n_nodes, 0, r->n_nodes}, n, index, mine, row_bytes, &arrived), done);
    const float *by_node = arrived;
    for (int64_t k = 0; k < slab.hi - slab.lo; k++)
        for (int64_t s = 0; s < samples; s++)
            (*out)[s * (slab.hi - slab.lo) + k] = by_node[k * samples + s];
done:
    lw_free(arrived);
    lw_free(index);
    lw_free(mine);
    return err;
}

static lw_err report_append(lw_trace_file *f, lw_sim *sim, int i) {
    lw_trace_view view = lw_sim_trace_take(sim, i);
    lw_pop_view pop = lw_net_pop(lw_sim_net(sim), view.pop);
    report *r = &f->report[i];
    lw_slab slab = lw_slab_range(r->n_nodes, lw_comm_rank(f->comm), lw_comm_size(f->comm));
    lw_h5_part part = {.n_new = view.n_samples, .n = view.n_samples, .column = slab.lo, .n_columns = slab.hi - slab.lo};
    float *data = NULL;
    if (view.n_samples == 0) return LW_OK; /* on all ranks alike */
    if (r->n_samples == 0) r->first_step = view.first_step;
    r->n_samples += view.n_samples;
    lw_err err = columns_gather(f, r, &view, &pop, slab, &data);
    if (err == LW_OK)
        err =
            lw_h5_writer_extend(f->writer, checkpoint_at("%s/data", r->group.text).text, H5T_NATIVE_FLOAT, &part, data);
    lw_free(data);
    return err;
}

lw_err lw_trace_file_append(lw_trace_file *file, lw_sim *sim) {
    LW_ASSERT(lw_sim_n_traces(sim) == file->n);
    for (int i = 0; i < file->n; i++)
        LW_TRY(report_append(file, sim, i));
    return LW_OK;
}

/* ---- mapping, when the number of samples is known */

/* start, stop (exclusive), step in ms */
static lw_err time_write(lw_trace_file *f, const report *r) {
    checkpoint_path path = checkpoint_at("%s/mapping/time", r->group.text);
    double start = (double)(r->first_step + 1) * f->dt;
    double time[3] = {start, (double)(r->first_step + 1 + r->n_samples * r->every) * f->dt, (double)r->every * f->dt};
    lw_h5_array array = {
        .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = 3, .unit = "ms", .about = "start, stop (exclusive), step"};
    lw_slab slab = lw_slab_range(3, lw_comm_rank(f->comm), lw_comm_size(f->comm));
    return lw_h5_writer_array(f->writer, &array, time + slab.lo);
}

/* One value per node. */
static lw_err mapping_write(lw_trace_file *f, const report *r) {
    lw_slab slab = lw_slab_range(r->n_nodes, lw_comm_rank(f->comm), lw_comm_size(f->comm));
    lw_slab pointers = lw_slab_range(r->n_nodes + 1, lw_comm_rank(f->comm), lw_comm_size(f->comm));
    int64_t n = slab.hi - slab.lo;
    uint64_t *number = NULL;
    uint32_t *zero = NULL;
    float *half = NULL;
    lw_err err = lw_alloc((size_t)(pointers.hi - pointers.lo + n), sizeof *number, "a mapping", &number);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *zero, "a mapping", &zero);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *half, "a mapping", &half);
    LW_TRY_TO(lw_comm_agree(f->comm, err), done);
    checkpoint_path nodes = checkpoint_at("%s/mapping/node_ids", r->group.text);
    checkpoint_path pointer = checkpoint_at("%s/mapping/index_pointers", r->group.text);
    checkpoint_path element = checkpoint_at("%s/mapping/element_ids", r->group.text);
    checkpoint_path place = checkpoint_at("%s/mapping/element_pos", r->group.text);
    lw_h5_array array = {.path = nodes.text,
        .type = H5T_NATIVE_UINT64,
        .n = r->n_nodes,
        .about = "index of the neuron in its population"};
    for (int64_t k = 0; k < n; k++) {
        number[k] = (uint64_t)lw_choice_neuron(&r->who, r->pop_size, slab.lo + k);
        half[k] = 0.5f;
    }
    LW_TRY_TO(lw_h5_writer_array(f->writer, &array, number), done);
    for (int64_t k = pointers.lo; k < pointers.hi; k++)
        number[k - pointers.lo] = (uint64_t)k;
    array = (lw_h5_array){
        .path = pointer.text, .type = H5T_NATIVE_UINT64, .n = r->n_nodes + 1, .about = "first column of each node"};
    LW_TRY_TO(lw_h5_writer_array(f->writer, &array, number), done);
    array = (lw_h5_array){
        .path = element.text, .type = H5T_NATIVE_UINT32, .n = r->n_nodes, .about = "always 0: point neurons"};
    LW_TRY_TO(lw_h5_writer_array(f->writer, &array, zero), done);
    array = (lw_h5_array){
        .path = place.text, .type = H5T_NATIVE_FLOAT, .n = r->n_nodes, .about = "always 0.5: point neurons"};
    err = lw_h5_writer_array(f->writer, &array, half);
done:
    lw_free(half);
    lw_free(zero);
    lw_free(number);
    return err;
}

/* BMTK and PyNN look for index_pointer, libsonata for index_pointers and the order of the nodes. */
static herr_t aliases_write(hid_t file, const report *r) {
    uint8_t sorted = 1;
    checkpoint_path from = checkpoint_at("%s/mapping/index_pointers", r->group.text);
    checkpoint_path to = checkpoint_at("%s/mapping/index_pointer", r->group.text);
    hid_t nodes = H5Dopen2(file, checkpoint_at("%s/mapping/node_ids", r->group.text).text, H5P_DEFAULT);
    herr_t status = nodes < 0 ? -1 : lw_h5_attribute(nodes, "sorted", H5T_NATIVE_UINT8, &sorted);
    if (nodes >= 0) (void)H5Dclose(nodes);
    return status < 0 ? status : H5Lcreate_hard(file, from.text, file, to.text, H5P_DEFAULT, H5P_DEFAULT);
}

static lw_err report_finish(lw_trace_file *f, const report *r) {
    LW_TRY(lw_h5_writer_group(f->writer, checkpoint_at("%s/mapping", r->group.text).text));
    LW_TRY(mapping_write(f, r));
    LW_TRY(time_write(f, r));
    return lw_h5_writer_outcome(f->writer, aliases_write(lw_h5_writer_file(f->writer), r), "the mapping");
}

lw_err lw_trace_file_close(lw_trace_file **file) {
    lw_trace_file *f = *file;
    lw_err err = LW_OK;
    if (!f) return LW_OK;
    for (int i = 0; i < f->n && err == LW_OK; i++)
        err = report_finish(f, &f->report[i]);
    if (err == LW_OK)
        err = lw_h5_writer_close(&f->writer);
    else
        lw_h5_writer_abandon(&f->writer);
    file_free(f);
    *file = NULL;
    return err;
}
