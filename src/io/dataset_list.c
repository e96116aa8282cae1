/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists of recordings, line by line.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "dataset_list.h"
#include "file.h"

lw_err dataset_list_read(
    const char *path, int32_t classes, lw_err (*add)(void *payload, const char *name, int32_t label), void *payload) {
    char *text = NULL, *rest = NULL;
    int64_t bytes = 0, number = 0;
    LW_TRY(lw_file_read(path, &text, &bytes));
    lw_err err = LW_OK;
    for (char *line = text; err == LW_OK && line && *line; line = rest) {
        char name[1024], more;
        int label = 0;
        rest = strchr(line, '\n');
        if (rest) *rest++ = '\0';
        number++;
        line[strcspn(line, "#\r")] = '\0';
        if (line[strspn(line, " \t")] == '\0') continue;
        if (sscanf(line, "%1023s %d %c", name, &label, &more) != 2 || label < 0 || label >= classes)
            err = LW_FAIL(LW_EFILE, "%s:%lld: found \"%s\", allowed are a recording and its class, 0 to %d", path,
                (long long)number, line, classes - 1);
        else
            err = add(payload, name, label);
    }
    lw_free(text);
    return err;
}

lw_err dataset_list_find(
    const char *list, const char *folder, const char *name, const char *const *ending, int n, char **path) {
    char tried[4096];
    *path = NULL;
    for (int k = 0; k < n && !*path; k++) {
        if (snprintf(tried, sizeof tried, "%s/%s%s", folder, name, ending[k]) >= (int)sizeof tried) continue;
        if (access(tried, R_OK) != 0) continue;
        *path = lw_strdup(tried);
        LW_CHECK(*path, LW_EMEM, "no memory for a name");
    }
    LW_CHECK(*path, LW_EFILE, "%s: found no recording %s or %s%s in %s", list, name, name, ending[n - 1], folder);
    return LW_OK;
}
