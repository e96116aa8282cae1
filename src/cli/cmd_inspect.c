/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd_inspect.c: lapwing inspect and lapwing model: looking at files, without a job. Rank 0 works, the others wait for
 * its word.
 */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

lw_err cmd_inspect(lw_comm *world, const cmd_options *options) {
    char *text = NULL;
    lw_err err = LW_OK;
    if (lw_comm_rank(world) == 0) {
        err = lw_inspect(options->file, options->json, &text);
        if (text) printf("%s\n", text);
    }
    lw_free(text);
    return lw_comm_agree(world, err);
}

static lw_err model(const cmd_options *o) {
    lw_model_source *source = NULL;
    char *text = NULL;
    lw_err err = lw_model_parse_file(o->file, &source);
    if (err == LW_OK && !strcmp(o->action, "check"))
        printf("%s: model %s is well formed\n", o->file, lw_model_source_name(source));
    else if (err == LW_OK && !strcmp(o->action, "show"))
        err = lw_model_show(source, &text);
    if (text) fputs(text, stdout);
    lw_free(text);
    text = NULL;
    if (err == LW_OK && strcmp(o->action, "check") != 0) err = lw_model_emit(source, &text);
    if (text && !strcmp(o->action, "show")) printf("\nC, as it is compiled\n\n");
    if (text) fputs(text, stdout);
    lw_free(text);
    lw_model_source_destroy(&source);
    return err;
}

lw_err cmd_model(lw_comm *world, const cmd_options *options) {
    const char *a = options->action;
    LW_CHECK(!strcmp(a, "check") || !strcmp(a, "show") || !strcmp(a, "emit"), LW_EUSE,
        "lapwing model: found \"%s\", allowed: check, show, emit", a);
    return lw_comm_agree(world, lw_comm_rank(world) == 0 ? model(options) : LW_OK);
}
