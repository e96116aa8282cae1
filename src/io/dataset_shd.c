/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Spikes in the HDF5 layout of the Heidelberg data sets (SHD, SSC): a list of times and one of units for each sample.
 * Lists are read when a sample is asked for, so a set of any size costs the memory of one sample.
 */
#include <string.h>
#include "dataset_bins.h"
#include "h5.h"

typedef struct shd_set {
    char *path;
    hid_t file, times, units, time_type, unit_type;
    int64_t n, pool, n_units;
    int32_t *label;
    event_bins bins;
    int64_t loaded; /* sample that bins.last is about */
} shd_set;

/* List i of one of the two arrays; given back with list_free. */
static lw_err list_read(const shd_set *set, hid_t array, hid_t type, const char *name, int64_t i, hvl_t *out) {
    hsize_t start = (hsize_t)i, one = 1;
    hid_t there = H5Dget_space(array), here = H5Screate_simple(1, &one, NULL);
    herr_t status = there < 0 || here < 0 ? -1 : H5Sselect_hyperslab(there, H5S_SELECT_SET, &start, NULL, &one, NULL);
    *out = (hvl_t){0};
    if (status >= 0) status = H5Dread(array, type, here, there, H5P_DEFAULT, out);
    if (there >= 0) (void)H5Sclose(there);
    if (here >= 0) (void)H5Sclose(here);
    return status < 0 ? lw_h5_fail(LW_EFILE, set->path, "list %lld of %s cannot be read", (long long)i, name) : LW_OK;
}

static void list_free(hvl_t *list) {
    (void)H5free_memory(list->p);
    *list = (hvl_t){0};
}

static lw_err shd_input(void *payload, int64_t i, float *x) {
    shd_set *set = payload;
    hvl_t times = {0}, units = {0};
    lw_err err;
    bins_clear(&set->bins, x);
    LW_TRY_TO(list_read(set, set->times, set->time_type, "spikes/times", i, &times), done);
    LW_TRY_TO(list_read(set, set->units, set->unit_type, "spikes/units", i, &units), done);
    if (times.len != units.len) {
        err = LW_FAIL(
            LW_EFILE, "%s: sample %lld has %zu times and %zu units", set->path, (long long)i, times.len, units.len);
        goto done;
    }
    for (size_t k = 0; k < times.len; k++) {
        int64_t unit = ((const int64_t *)units.p)[k];
        if (unit < 0 || unit >= set->n_units) {
            err = LW_FAIL(LW_EFILE, "%s: sample %lld has an event of unit %lld, allowed are 0 to %lld", set->path,
                (long long)i, (long long)unit, (long long)set->n_units - 1);
            goto done;
        }
        bins_add(&set->bins, ((const double *)times.p)[k], unit / set->pool, x);
    }
    set->loaded = i;
done:
    list_free(&times);
    list_free(&units);
    return err;
}

static int64_t shd_length(void *payload, int64_t i) {
    const shd_set *set = payload;
    return i == set->loaded ? set->bins.last + 1 : set->bins.steps;
}

static lw_err shd_label(void *payload, int64_t i, int32_t *label) {
    *label = ((const shd_set *)payload)->label[i];
    return LW_OK;
}

static void shd_destroy(void *payload) {
    shd_set *set = payload;
    if (set->time_type > 0) (void)H5Tclose(set->time_type);
    if (set->unit_type > 0) (void)H5Tclose(set->unit_type);
    if (set->times > 0) (void)H5Dclose(set->times);
    if (set->units > 0) (void)H5Dclose(set->units);
    if (set->file > 0) (void)H5Fclose(set->file);
    lw_free(set->label);
    lw_free(set->path);
    lw_free(set);
}

/* One-dimensional array of lists (or of numbers); its extent must be *n, or becomes it when *n is -1. */
static lw_err array_open(const shd_set *set, const char *name, bool lists, int64_t *n, hid_t *out) {
    *out = H5Dopen2(set->file, name, H5P_DEFAULT);
    if (*out < 0) return lw_h5_fail(LW_EFILE, set->path, "found no array %s", name);
    hid_t type = H5Dget_type(*out), space = H5Dget_space(*out);
    hsize_t extent = 0;
    bool good = type >= 0 && (H5Tget_class(type) == H5T_VLEN) == lists && space >= 0 &&
                H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &extent, NULL) == 1;
    if (type >= 0) (void)H5Tclose(type);
    if (space >= 0) (void)H5Sclose(space);
    LW_CHECK(good, LW_EFILE, "%s: array %s is not one of %s", set->path, name, lists ? "lists" : "numbers");
    if (*n < 0) *n = (int64_t)extent;
    LW_CHECK(*n == (int64_t)extent && *n > 0, LW_EFILE, "%s: array %s has %lld entries, wanted are %lld", set->path,
        name, (long long)extent, (long long)*n);
    return LW_OK;
}

static lw_err labels_read(shd_set *set, const lw_events_spec *spec) {
    hid_t array = -1;
    lw_err err = array_open(set, "labels", false, &set->n, &array);
    if (err == LW_OK) err = lw_alloc((size_t)set->n, sizeof *set->label, "labels", &set->label);
    if (err == LW_OK && H5Dread(array, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, set->label) < 0)
        err = lw_h5_fail(LW_EFILE, set->path, "array labels cannot be read");
    if (array >= 0) (void)H5Dclose(array);
    for (int64_t i = 0; err == LW_OK && i < set->n; i++)
        if (set->label[i] < 0 || set->label[i] >= spec->classes)
            err = LW_FAIL(LW_EFILE, "%s: sample %lld: found label %d, allowed are 0 to %d", set->path, (long long)i,
                set->label[i], spec->classes - 1);
    return err;
}

static lw_err shd_open(shd_set *set, const lw_events_spec *spec) {
    lw_h5_quiet();
    set->path = lw_strdup(spec->path);
    LW_CHECK(set->path, LW_EMEM, "no memory for the name of a data set");
    LW_CHECK(spec->channels >= 1, LW_EUSE, "%s: found %lld channels, allowed are 1 and more", spec->path,
        (long long)spec->channels);
    set->file = H5Fopen(spec->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (set->file < 0) return lw_h5_fail(LW_EFILE, spec->path, "cannot be opened as HDF5");
    set->n = -1;
    LW_TRY(array_open(set, "spikes/times", true, &set->n, &set->times));
    LW_TRY(array_open(set, "spikes/units", true, &set->n, &set->units));
    set->time_type = H5Tvlen_create(H5T_NATIVE_DOUBLE);
    set->unit_type = H5Tvlen_create(H5T_NATIVE_INT64);
    if (set->time_type < 0 || set->unit_type < 0) return lw_h5_fail(LW_EMEM, spec->path, "no memory for its types");
    return labels_read(set, spec);
}

lw_err lw_dataset_shd(const lw_events_spec *spec, lw_batch_source *out) {
    shd_set *set = NULL;
    *out = (lw_batch_source){0};
    LW_TRY(bins_check(spec));
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    set->loaded = -1;
    set->pool = spec->pool;
    set->n_units = spec->channels;
    set->bins = (event_bins){.steps = spec->steps,
        .n_channels = (spec->channels + spec->pool - 1) / spec->pool,
        .bin = spec->bin / 1000, /* s */
        .counts = spec->counts};
    lw_err err = shd_open(set, spec);
    if (err != LW_OK) {
        shd_destroy(set);
        return err;
    }
    *out = (lw_batch_source){.payload = set,
        .n_samples = spec->limit > 0 && spec->limit < set->n ? spec->limit : set->n,
        .n_steps = spec->steps,
        .n_channels = (int32_t)set->bins.n_channels,
        .n_classes = spec->classes,
        .input = shd_input,
        .label = shd_label,
        .length = spec->lengths ? shd_length : NULL,
        .destroy = shd_destroy};
    return LW_OK;
}
