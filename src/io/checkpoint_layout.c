/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where neurons are, in a checkpoint: the layout as attributes of the population, and x, y, z of every neuron for
 * readers of the file. Places on a grid or at random are computed again from the layout; listed ones come from x, y, z.
 */
#include <math.h>
#include <string.h>
#include "checkpoint.h"

static const char *const kind_name[] = {
    [LW_LAYOUT_NONE] = "none", [LW_LAYOUT_GRID] = "grid", [LW_LAYOUT_RANDOM] = "random", [LW_LAYOUT_LIST] = "list"};
static const char *const axis[] = {"x", "y", "z"};

lw_err checkpoint_layout_save(lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop, const char *group) {
    const lw_layout *layout = &pop->layout;
    if (layout->kind == LW_LAYOUT_NONE) return LW_OK;
    LW_TRY(lw_h5_writer_string(w, group, "layout", kind_name[layout->kind]));
    LW_TRY(lw_h5_writer_i64(w, group, "dimensions", layout->n_dim));
    LW_TRY(lw_h5_writer_i64(w, group, "periodic", layout->periodic));
    for (int32_t d = 0; d < layout->n_dim; d++) {
        LW_TRY(lw_h5_writer_i64(w, group, checkpoint_at("grid_%s", axis[d]).text, layout->grid[d]));
        LW_TRY(lw_h5_writer_f64(w, group, checkpoint_at("extent_%s_mm", axis[d]).text, layout->extent[d]));
        LW_TRY(lw_h5_writer_f64(w, group, checkpoint_at("centre_%s_mm", axis[d]).text, layout->centre[d]));
        checkpoint_path path = checkpoint_at("%s/%s", group, axis[d]);
        lw_h5_array array = {
            .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = pop->size, .unit = "mm", .about = "place of the neuron"};
        LW_TRY(checkpoint_neurons_save(w, comm, pop, &array, pop->position[d]));
    }
    return LW_OK;
}

/* x, y, z by origin, as lists are. A pruned population has gaps in its origins; nobody is there. */
static lw_err list_load(const lw_h5_reader *r, const char *group, int64_t size, lw_layout *out, double **list) {
    double *column = NULL, *places = NULL, most = 0;
    int64_t *origin = NULL;
    lw_err err = lw_alloc((size_t)size, sizeof *origin, "positions", &origin);
    if (err == LW_OK) err = lw_alloc((size_t)size, sizeof *column, "positions", &column);
    if (err == LW_OK)
        err = lw_h5_reader_array(r, checkpoint_at("%s/origin", group).text, H5T_NATIVE_INT64, 0, size, origin);
    for (int64_t k = 0; k < size && err == LW_OK; k++)
        most = fmax(most, (double)origin[k]);
    out->n_list = (int64_t)most + 1;
    if (err == LW_OK) err = lw_alloc((size_t)out->n_list * (size_t)out->n_dim, sizeof *places, "positions", &places);
    for (int64_t i = 0; i < out->n_list * out->n_dim && err == LW_OK; i++)
        places[i] = out->centre[i % out->n_dim];
    for (int32_t d = 0; d < out->n_dim && err == LW_OK; d++) {
        err = lw_h5_reader_array(r, checkpoint_at("%s/%s", group, axis[d]).text, H5T_NATIVE_DOUBLE, 0, size, column);
        for (int64_t k = 0; k < size && err == LW_OK; k++)
            places[origin[k] * out->n_dim + d] = column[k];
    }
    lw_free(origin);
    lw_free(column);
    out->list = *list = places;
    return err;
}

lw_err checkpoint_layout_load(const lw_h5_reader *r, const char *group, int64_t size, lw_layout *out, double **list) {
    char *name = NULL;
    int64_t n_dim = 0, periodic = 0;
    *out = (lw_layout){0};
    if (!lw_h5_reader_has_attribute(r, group, "layout")) return LW_OK;
    LW_TRY(lw_h5_reader_string(r, group, "layout", &name));
    for (int kind = LW_LAYOUT_GRID; kind <= LW_LAYOUT_LIST; kind++)
        if (strcmp(name, kind_name[kind]) == 0) out->kind = (lw_layout_kind)kind;
    lw_err err = out->kind != LW_LAYOUT_NONE
                     ? LW_OK
                     : LW_FAIL(LW_EFILE, "%s: %s has the layout \"%s\"; allowed: grid, random, list",
                           lw_h5_reader_path(r), group, name);
    lw_free(name);
    LW_TRY(err);
    LW_TRY(lw_h5_reader_i64(r, group, "dimensions", &n_dim));
    LW_TRY(lw_h5_reader_i64(r, group, "periodic", &periodic));
    LW_CHECK(n_dim == 2 || n_dim == 3, LW_EFILE, "%s: %s has %lld dimensions; allowed: 2 or 3", lw_h5_reader_path(r),
        group, (long long)n_dim);
    out->n_dim = (int32_t)n_dim;
    out->periodic = periodic != 0;
    for (int32_t d = 0; d < out->n_dim; d++) {
        LW_TRY(lw_h5_reader_i64(r, group, checkpoint_at("grid_%s", axis[d]).text, &out->grid[d]));
        LW_TRY(lw_h5_reader_f64(r, group, checkpoint_at("extent_%s_mm", axis[d]).text, &out->extent[d]));
        LW_TRY(lw_h5_reader_f64(r, group, checkpoint_at("centre_%s_mm", axis[d]).text, &out->centre[d]));
    }
    return out->kind == LW_LAYOUT_LIST ? list_load(r, group, size, out, list) : LW_OK;
}
