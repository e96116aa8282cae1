/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names inside a checkpoint, and values per neuron between their owners and the file.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "checkpoint.h"
#include "slab.h"

enum { NAME_MOST = 128 }; /* bytes; three times that, twice, fits a path */

checkpoint_path checkpoint_at(const char *fmt, ...) {
    checkpoint_path p;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(p.text, sizeof p.text, fmt, args);
    va_end(args);
    LW_ASSERT(n >= 0 && n < (int)sizeof p.text);
    return p;
}

checkpoint_path checkpoint_name(const char *name) {
    checkpoint_path p;
    char *at = p.text;
    bool dots = strcmp(name, ".") == 0;
    for (; *name && at < p.text + sizeof p.text - 4; name++)
        at = *name == '/'   ? stpcpy(at, "%2F")
             : *name == '%' ? stpcpy(at, "%25")
             : dots         ? stpcpy(at, "%2E")
                            : stpncpy(at, name, 1);
    *at = '\0';
    return p;
}

checkpoint_path checkpoint_unit(const char *unit, double scale) {
    if (!unit || !unit[0]) unit = "1";
    return scale == 1 || !(scale > 0) ? checkpoint_at("%s", unit) : checkpoint_at("%.17g %s", 1 / scale, unit);
}

void checkpoint_name_undo(char *name) {
    char *to = name;
    for (const char *from = name; *from; to++) {
        unsigned code = 0;
        int n = 0;
        if (*from == '%' && sscanf(from, "%%%2x%n", &code, &n) == 1 && n == 3) {
            *to = (char)code;
            from += 3;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

lw_err checkpoint_names_check(const lw_net *net) {
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        const char *name = lw_net_pop(net, p).name;
        LW_CHECK(strlen(name) <= NAME_MOST, LW_EUSE, "population \"%s\": names in checkpoints have at most %d bytes",
            name, NAME_MOST);
    }
    for (int p = 0; p < lw_net_n_proj(net); p++) {
        const char *name = lw_net_proj(net, p).name;
        LW_CHECK(strlen(name) <= 2 * NAME_MOST + 16, LW_EUSE,
            "projection \"%s\": names in checkpoints have at most %d bytes", name, 2 * NAME_MOST + 16);
    }
    return LW_OK;
}

lw_err checkpoint_neurons_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop, const lw_h5_array *array, const void *rows) {
    int64_t *index = NULL;
    void *slab = NULL;
    size_t row_bytes = H5Tget_size(array->type) * (size_t)(array->row ? array->row : 1);
    LW_ASSERT(array->n == pop->size);
    lw_err err = lw_comm_agree(comm, lw_alloc((size_t)pop->n_local, sizeof *index, "neuron numbers", &index));
    for (int64_t k = 0; k < pop->n_local && err == LW_OK; k++)
        index[k] = pop->gid[k] - pop->gid_begin;
    if (err == LW_OK)
        err = lw_slab_gather(comm, (lw_span){pop->size, 0, pop->size}, pop->n_local, index, rows, row_bytes, &slab);
    if (err == LW_OK) err = lw_h5_writer_array(w, array, slab);
    lw_free(slab);
    lw_free(index);
    return err;
}

lw_err checkpoint_shape_check(const lw_h5_reader *r, const char *path, int64_t n, int64_t row) {
    int64_t found_n = 0, found_row = 0;
    LW_TRY(lw_h5_reader_shape(r, path, &found_n, &found_row));
    if (found_n != n || found_row != row)
        return LW_FAIL(LW_EFILE, "%s: array %s has %lld x %lld values, expected %lld x %lld", lw_h5_reader_path(r),
            path, (long long)found_n, (long long)found_row, (long long)n, (long long)row);
    return LW_OK;
}

lw_err checkpoint_neurons_load(
    const lw_h5_reader *r, const lw_net *net, int pop, const char *path, hid_t type, int64_t row, void *rows) {
    const lw_comm *comm = lw_net_comm(net);
    lw_pop_view view = lw_net_pop(net, pop);
    lw_slab slab = lw_slab_range(view.size, lw_comm_rank(comm), lw_comm_size(comm));
    int64_t n = slab.hi - slab.lo;
    size_t row_bytes = H5Tget_size(type) * (size_t)row;
    int32_t *dest = NULL;
    void *data = NULL;
    lw_err err = checkpoint_shape_check(r, path, view.size, row);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *dest, path, &dest);
    if (err == LW_OK) err = lw_alloc((size_t)n, row_bytes, path, &data);
    if (err == LW_OK) err = lw_h5_reader_array(r, path, type, slab.lo, n, data);
    for (int64_t k = 0; k < n && err == LW_OK; k++)
        dest[k] = lw_net_owner(net, view.gid_begin + slab.lo + k);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) err = lw_slab_scatter(comm, n, dest, data, row_bytes, path, view.n_local, rows);
    lw_free(data);
    lw_free(dest);
    return err;
}
