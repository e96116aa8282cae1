/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What writer and reader share: HDF5's errors in our words, attributes, property lists without times.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "h5.h"

/* Deepest entry of the stack of the last HDF5 call that failed. Kept at once, because the next call, be it to close
 * something, clears the stack. */
static _Thread_local char reason[256];

/* H5Ewalk2 upward gives the deepest entry first. */
static herr_t entry_take(unsigned n, const H5E_error2_t *entry, void *payload) {
    char *text = payload;
    if (n == 0 && entry->desc) (void)snprintf(text, sizeof reason, "%s", entry->desc);
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    return 0;
}

static herr_t stack_keep(hid_t stack, void *payload) {
    (void)payload;
    return H5Ewalk2(stack, H5E_WALK_UPWARD, entry_take, reason);
}

void lw_h5_quiet(void) {
    (void)H5Eset_auto2(H5E_DEFAULT, stack_keep, NULL);
    reason[0] = '\0';
}

void lw_h5_forget(void) {
    reason[0] = '\0';
}

lw_err lw_h5_fail(lw_err code, const char *path, const char *fmt, ...) {
    char what[512] = "", why[sizeof reason];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    (void)snprintf(why, sizeof why, "%s", reason);
    lw_h5_forget();
    if (why[0] == '\0') return LW_FAIL(code, "%s: %s", path, what);
    if (strstr(why, "lock")) /* network file systems without flock */
        return LW_FAIL(
            code, "%s: %s: HDF5: %s; HDF5_USE_FILE_LOCKING=FALSE in the environment may help", path, what, why);
    return LW_FAIL(code, "%s: %s: HDF5: %s", path, what, why);
}

hid_t lw_h5_text_type(size_t bytes) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0) return type;
    bool ok = H5Tset_size(type, bytes > 0 ? bytes : 1) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
              H5Tset_cset(type, H5T_CSET_UTF8) >= 0;
    if (ok) return type;
    (void)H5Tclose(type);
    return -1;
}

static herr_t attribute_write(hid_t object, const char *name, hid_t type, hid_t space, const void *value) {
    hid_t attribute = space < 0 ? -1 : H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = attribute < 0 ? -1 : H5Awrite(attribute, type, value);
    if (attribute >= 0 && H5Aclose(attribute) < 0) status = -1;
    if (space >= 0) (void)H5Sclose(space);
    return status;
}

herr_t lw_h5_attribute(hid_t object, const char *name, hid_t type, const void *value) {
    return attribute_write(object, name, type, H5Screate(H5S_SCALAR), value);
}

herr_t lw_h5_attribute_list(hid_t object, const char *name, hid_t type, int n, const void *value) {
    hsize_t extent = (hsize_t)n;
    return attribute_write(object, name, type, H5Screate_simple(1, &extent, NULL), value);
}

herr_t lw_h5_attribute_text(hid_t object, const char *name, const char *text) {
    hid_t type = lw_h5_text_type(strlen(text));
    herr_t status = type < 0 ? -1 : lw_h5_attribute(object, name, type, text);
    if (type >= 0) (void)H5Tclose(type);
    return status;
}

hid_t lw_h5_group_create(hid_t where, const char *path) {
    hid_t list = H5Pcreate(H5P_GROUP_CREATE), group = -1;
    if (list >= 0 && H5Pset_obj_track_times(list, false) >= 0 &&
        H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0)
        group = H5Gcreate2(where, path, H5P_DEFAULT, list, H5P_DEFAULT);
    if (list >= 0) (void)H5Pclose(list);
    return group;
}

hid_t lw_h5_dataset_list(void) {
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (list < 0) return list;
    if (H5Pset_obj_track_times(list, false) >= 0 && H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0) return list;
    (void)H5Pclose(list);
    return -1;
}
