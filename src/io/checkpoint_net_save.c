/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network into a checkpoint: model texts; populations with parameters, initial state and origins by index. What is
 * one number for all is saved as an array of length 1. Projections are in checkpoint_projection.c.
 */
#include <math.h>
#include <string.h>
#include "checkpoint.h"
#include "slab.h"

/* ---- populations */

/* One value that all ranks with neurons have. **Collective** */
static double common_value(const lw_comm *comm, const lw_pop_view *pop, int32_t param) {
    double x = pop->n_local > 0 ? pop->param[param][0] : -INFINITY;
    lw_comm_max_f64(comm, &x, 1);
    return x;
}

static lw_err param_save(lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop, const char *group, int32_t i) {
    const lw_model_param *about = &pop->model->param[i];
    checkpoint_path path = checkpoint_at("%s/parameters/%s", group, about->name);
    checkpoint_path unit = checkpoint_unit(about->unit, about->scale);
    lw_h5_array array = {
        .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = pop->size, .unit = unit.text, .about = about->about};
    if (pop->uniform[i]) {
        double x = common_value(comm, pop, i);
        array.n = 1;
        LW_TRY(lw_h5_writer_array(w, &array, &x));
    } else {
        LW_TRY(checkpoint_neurons_save(w, comm, pop, &array, pop->param[i]));
    }
    return lw_h5_writer_i64(w, path.text, "learn", pop->learn[i] != 0);
}

static lw_err pop_save(lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop) {
    checkpoint_path group = checkpoint_at("/network/populations/%s", checkpoint_name(pop->name).text);
    const lw_model *model = pop->model;
    LW_TRY(lw_h5_writer_group(w, group.text));
    LW_TRY(lw_h5_writer_string(w, group.text, "model", model->name));
    LW_TRY(lw_h5_writer_i64(w, group.text, "size", pop->size));
    LW_TRY(lw_h5_writer_i64(w, group.text, "gid_begin", pop->gid_begin));
    LW_TRY(lw_h5_writer_group(w, checkpoint_at("%s/parameters", group.text).text));
    for (int32_t i = 0; i < model->n_param; i++)
        LW_TRY(param_save(w, comm, pop, group.text, i));
    LW_TRY(lw_h5_writer_group(w, checkpoint_at("%s/initial", group.text).text));
    for (int32_t i = 0; i < model->n_state; i++) {
        checkpoint_path path = checkpoint_at("%s/initial/%s", group.text, model->state[i].name);
        checkpoint_path unit = checkpoint_unit(model->state[i].unit, model->state[i].scale);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_DOUBLE,
            .n = pop->size,
            .unit = unit.text,
            .about = model->state[i].about};
        LW_TRY(checkpoint_neurons_save(w, comm, pop, &array, pop->init[i]));
    }
    checkpoint_path path = checkpoint_at("%s/origin", group.text);
    lw_h5_array origin = {.path = path.text,
        .type = H5T_NATIVE_INT64,
        .n = pop->size,
        .unit = "1",
        .about = "index of the neuron in the population that was first built"};
    LW_TRY(checkpoint_neurons_save(w, comm, pop, &origin, pop->origin));
    return checkpoint_layout_save(w, comm, pop, group.text);
}

static lw_err models_save(lw_h5_writer *w, const lw_net *net) {
    LW_TRY(lw_h5_writer_group(w, "/network/models"));
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        const lw_model *model = lw_net_pop(net, p).model;
        bool seen = false;
        for (int q = 0; q < p; q++)
            seen = seen || strcmp(lw_net_pop(net, q).model->name, model->name) == 0;
        if (seen) continue;
        checkpoint_path path = checkpoint_at("/network/models/%s", checkpoint_name(model->name).text);
        LW_TRY(lw_h5_writer_text(w, path.text, model->text, model->about));
    }
    return LW_OK;
}

lw_err checkpoint_net_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net) {
    LW_TRY(lw_h5_writer_group(w, "/network"));
    LW_TRY(lw_h5_writer_u64(w, "/network", "seed", lw_net_seed(net)));
    LW_TRY(lw_h5_writer_f64(w, "/network", "dt_ms", lw_net_dt(net)));
    LW_TRY(
        lw_h5_writer_string(w, "/network", "weight_type", lw_net_weight_type(net) == LW_F64 ? "float64" : "float32"));
    LW_TRY(lw_h5_writer_i64(w, "/network", "neurons", lw_net_n_global(net)));
    LW_TRY(lw_h5_writer_i64(w, "/network", "synapses", lw_net_n_edges_global(net)));
    LW_TRY(models_save(w, net));
    LW_TRY(lw_h5_writer_group(w, "/network/populations"));
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        LW_TRY(pop_save(w, comm, &pop));
    }
    LW_TRY(lw_h5_writer_group(w, "/network/projections"));
    for (int i = 0; i < lw_net_n_proj(net); i++)
        LW_TRY(checkpoint_projection_save(w, comm, net, i));
    return LW_OK;
}
