/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dataset_list.h: text files that name recordings and their classes.
 */
#ifndef LAPWING_IO_DATASET_LIST_H
#define LAPWING_IO_DATASET_LIST_H

#include <lapwing/io.h>

/** Lines "name class", class from 0 to classes - 1; # begins a remark. `add` is called for each of them; its first
 * error ends the reading. EFILE naming the line. **Local**. */
lw_err dataset_list_read(const char *path, int32_t classes,
    lw_err (*add)(void *payload, const char *name, int32_t label), void *payload) LW_MUST_CHECK;
/** folder/name with the first of the endings [n] for which there is such a file, in a new string (lw_free). EFILE
 * saying that `list` names what is not there. **Local**. */
lw_err dataset_list_find(const char *list, const char *folder, const char *name, const char *const *ending, int n,
    char **path) LW_MUST_CHECK;

#endif
