/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lyapunov.h5: one group per spectrum. The file is small, so rank 0 writes it alone: to a temporary copy, fsynced and
 * renamed, so that adding a spectrum never endangers those that are there.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "checkpoint.h"
#include "file.h"

/* ---- rank 0: one group into an open file */

static herr_t values_write(hid_t group, const char *name, hid_t type, int64_t n, int64_t row, const void *data,
    const char *unit, const char *about) {
    hsize_t extent[2] = {(hsize_t)n, (hsize_t)row};
    hid_t list = lw_h5_dataset_list(), space = H5Screate_simple(row ? 2 : 1, extent, NULL), dataset = -1;
    if (list >= 0 && space >= 0) dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    herr_t status = dataset < 0 ? -1 : 0;
    if (status >= 0) status = lw_h5_attribute_text(dataset, "units", unit);
    if (status >= 0) status = lw_h5_attribute_text(dataset, "long_name", about);
    if (status >= 0 && n > 0 && row >= 0) status = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    if (dataset >= 0 && H5Dclose(dataset) < 0) status = -1;
    if (space >= 0) (void)H5Sclose(space);
    if (list >= 0) (void)H5Pclose(list);
    return status;
}

static const char *qr_name(lw_qr_kind kind) {
    switch (kind) {
    case LW_QR_AUTO:
        return "auto";
    case LW_QR_SCALAPACK:
        return "scalapack";
    case LW_QR_CHOLESKY2:
        return "cholesky2";
    }
    return "unknown";
}

static herr_t numbers_write(hid_t group, const lw_lyapunov *l) {
    const struct {
        const char *name;
        int64_t value;
    } integer[] = {{"k", l->k}, {"dimension", l->dimension}, {"steps", l->steps}, {"transient", l->transient},
        {"warmup", l->warmup}, {"collapsed", l->collapsed}, {"orthonormalized_every", l->every_last},
        {"profile_partial", l->profile_partial}};
    const struct {
        const char *name;
        double value;
    } real[] = {{"dt_ms", l->dt}, {"kaplan_yorke", l->kaplan_yorke}, {"kaplan_yorke_stderr", l->kaplan_yorke_stderr},
        {"entropy_rate_per_ms", l->entropy_rate}, {"sum_per_ms", l->sum}, {"spread_max", l->spread_max},
        {"rate_hz", l->rate_hz}};
    herr_t status = 0;
    for (size_t i = 0; i < sizeof integer / sizeof integer[0] && status >= 0; i++)
        status = lw_h5_attribute(group, integer[i].name, H5T_NATIVE_INT64, &integer[i].value);
    for (size_t i = 0; i < sizeof real / sizeof real[0] && status >= 0; i++)
        status = lw_h5_attribute(group, real[i].name, H5T_NATIVE_DOUBLE, &real[i].value);
    return status < 0 ? status : lw_h5_attribute_text(group, "qr", qr_name(l->qr));
}

static herr_t arrays_write(hid_t group, const lw_lyapunov *l) {
    if (values_write(group, "exponent", H5T_NATIVE_DOUBLE, l->k, 0, l->exponent, "ms-1",
            "Lyapunov exponents, descending; -inf: collapsed") < 0 ||
        values_write(
            group, "stderr", H5T_NATIVE_DOUBLE, l->k, 0, l->stderr_, "ms-1", "standard errors from block means") < 0 ||
        values_write(group, "exponent_step", H5T_NATIVE_DOUBLE, l->k, 0, l->exponent_step, "1",
            "exponents per step in the order of the columns, nats") < 0 ||
        values_write(group, "ln_r_sum", H5T_NATIVE_DOUBLE, l->k, 0, l->ln_r_sum, "1",
            "sum of ln R_ii over the counted steps") < 0)
        return -1;
    if (l->n_trace == 0) return 0;
    if (values_write(group, "trace_step", H5T_NATIVE_INT64, l->n_trace, 0, l->trace_step, "1",
            "steps of the convergence record") < 0)
        return -1;
    return values_write(
        group, "trace", H5T_NATIVE_DOUBLE, l->n_trace, l->k, l->trace, "ms-1", "running means of the exponents");
}

/* profile: [neurons of the network] by gid */
static herr_t profile_write(hid_t group, const lw_net *net, const double *profile) {
    hid_t inner = lw_h5_group_create(group, "profile");
    herr_t status = inner < 0 ? -1 : 0;
    for (int p = 0; p < lw_net_n_pop(net) && status >= 0; p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        status = values_write(inner, checkpoint_name(pop.name).text, H5T_NATIVE_DOUBLE, pop.size, 0,
            profile + pop.gid_begin, "1", "share of each neuron in the sum of exponents, nats per step");
    }
    if (inner >= 0) (void)H5Gclose(inner);
    return status;
}

static herr_t group_write(
    hid_t file, const char *name, const lw_lyapunov *l, const lw_net *net, const double *profile) {
    if (H5Lexists(file, name, H5P_DEFAULT) > 0 && H5Ldelete(file, name, H5P_DEFAULT) < 0) return -1;
    hid_t group = lw_h5_group_create(file, name);
    herr_t status = group < 0 ? -1 : numbers_write(group, l);
    if (status >= 0) status = arrays_write(group, l);
    if (status >= 0 && profile) status = profile_write(group, net, profile);
    if (group >= 0) (void)H5Gclose(group);
    return status;
}

/* ---- rank 0: the file */

static herr_t head_write(hid_t file) {
    static const int32_t version[2] = {1, 0};
    uint32_t complete = 1;
    if (lw_h5_attribute_text(file, "format", "lapwing-lyapunov") < 0 ||
        lw_h5_attribute_text(file, "creator", "lapwing") < 0)
        return -1;
    if (lw_h5_attribute(file, "complete", H5T_NATIVE_UINT32, &complete) < 0) return -1; /* the rename makes it so */
    return lw_h5_attribute_list(file, "format_version", H5T_NATIVE_INT32, 2, version);
}

static hid_t file_open(const char *temporary, bool old) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE), file = -1;
    bool ok = access >= 0 && creation >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
              H5Pset_file_locking(access, false, true) >= 0 && H5Pset_obj_track_times(creation, false) >= 0;
    if (ok)
        file = old ? H5Fopen(temporary, H5F_ACC_RDWR, access) : H5Fcreate(temporary, H5F_ACC_TRUNC, creation, access);
    if (access >= 0) (void)H5Pclose(access);
    if (creation >= 0) (void)H5Pclose(creation);
    if (file >= 0 && !old && head_write(file) < 0) {
        (void)H5Fclose(file);
        file = -1;
    }
    return file;
}

/* *there: whether a file to add to was found */
static lw_err old_copy(const char *path, const char *temporary, bool *there) {
    char buffer[65536];
    size_t n = 0;
    FILE *from = fopen(path, "rb");
    *there = from != NULL;
    if (!from) return LW_OK;
    FILE *to = fopen(temporary, "wb");
    bool ok = to != NULL;
    while (ok && (n = fread(buffer, 1, sizeof buffer, from)) > 0)
        ok = fwrite(buffer, 1, n, to) == n;
    ok = ok && !ferror(from);
    (void)fclose(from);
    if (to && fclose(to) != 0) ok = false;
    return ok ? LW_OK : LW_FAIL(LW_EIO, "%s: cannot copy %s", temporary, path);
}

static lw_err file_save(
    const char *path, const char *name, bool append, const lw_lyapunov *l, const lw_net *net, const double *profile) {
    char temporary[PATH_MAX];
    bool old = false;
    lw_h5_quiet();
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return LW_FAIL(LW_EUSE, "%s: the path is too long", path);
    if (append) LW_TRY(old_copy(path, temporary, &old));
    hid_t file = file_open(temporary, old);
    lw_err err = file < 0 ? lw_h5_fail(LW_EIO, temporary, "cannot be opened") : LW_OK;
    if (err == LW_OK && group_write(file, name, l, net, profile) < 0)
        err = lw_h5_fail(LW_EIO, temporary, "cannot write group %s", name);
    if (file >= 0 && H5Fclose(file) < 0 && err == LW_OK) err = lw_h5_fail(LW_EIO, temporary, "cannot be closed");
    if (err == LW_OK) err = lw_file_sync(temporary);
    if (err == LW_OK) err = lw_file_rename(temporary, path);
    if (err != LW_OK) (void)unlink(temporary);
    return err;
}

/* ---- all ranks */

typedef struct value_of {
    int64_t gid;
    double value;
} value_of;

/* Profile of the whole network by gid, on rank 0. **Collective** */
static lw_err profile_gather(const lw_comm *comm, const lw_lyapunov *l, const lw_net *net, double **out) {
    value_of *mine = NULL, *all = NULL;
    int64_t bytes = 0;
    bool first = lw_comm_rank(comm) == 0;
    *out = NULL;
    lw_err err = lw_alloc((size_t)l->n_local, sizeof *mine, "a neuron profile", &mine);
    if (err == LW_OK && first) err = lw_alloc((size_t)lw_net_n_global(net), sizeof **out, "a neuron profile", out);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int64_t k = 0; k < l->n_local; k++)
        mine[k] = (value_of){.gid = lw_net_gid(net, k), .value = l->profile[k]};
    LW_TRY_TO(lw_comm_gatherv(comm, mine, l->n_local * (int64_t)sizeof *mine, 0, (void **)&all, &bytes), done);
    for (int64_t i = 0; first && i < bytes / (int64_t)sizeof *all; i++)
        (*out)[all[i].gid] = all[i].value;
done:
    lw_free(all);
    lw_free(mine);
    return err;
}

lw_err lw_lyapunov_save(
    const lw_comm *comm, const char *path, const char *name, bool append, const lw_lyapunov *l, const lw_net *net) {
    double *profile = NULL;
    int64_t has_profile = l->profile != NULL;
    lw_comm_max_i64(comm, &has_profile, 1);
    lw_err err = has_profile ? profile_gather(comm, l, net, &profile) : LW_OK;
    if (err == LW_OK) {
        if (lw_comm_rank(comm) == 0) err = file_save(path, checkpoint_name(name).text, append, l, net, profile);
        err = lw_comm_agree(comm, err);
    }
    lw_free(profile);
    return err;
}
