/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The door of the compiler: text in; canonical text, explanation or C out.
 */
#include "emit.h"
#include <stdio.h>
#include <string.h>

lw_err lw_model_parse(const char *name, const char *text, lw_model_source **out) {
    lw_model_source *s = NULL;
    lw_plan *plan = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *s, "model source", &s));
    LW_TRY_TO(lw_ast_string(s, name, strlen(name), &s->file), done);
    LW_TRY_TO(lw_ast_string(s, text, strlen(text), &s->text), done);
    LW_TRY_TO(lw_parser_run(s), done);
    LW_TRY_TO(lw_check_run(s), done);
    /* finds what only integration can: circles, non-linear rates */
    err = s->synapse ? lw_synapse_check_run(s) : lw_plan_create(s, &plan);
done:
    lw_plan_destroy(&plan);
    if (err != LW_OK) lw_model_source_destroy(&s);
    *out = s;
    return err;
}

lw_err lw_model_parse_file(const char *path, lw_model_source **out) {
    enum { SIZE_MAX_BYTES = 1 << 20 };
    lw_err err = LW_OK;
    char *text = NULL;
    *out = NULL;
    FILE *file = fopen(path, "rb");
    LW_CHECK(file, LW_EFILE, "%s could not be opened", path);
    LW_TRY_TO(lw_alloc(SIZE_MAX_BYTES + 1, 1, "model text", &text), done);
    size_t length = fread(text, 1, SIZE_MAX_BYTES + 1, file);
    if (ferror(file))
        err = LW_FAIL(LW_EFILE, "%s could not be read", path);
    else if (length > SIZE_MAX_BYTES || memchr(text, 0, length))
        err = LW_FAIL(LW_EFILE, "%s is no model text (zero bytes, or more than 1 MiB)", path);
    else
        err = lw_model_parse(path, text, out);
done:
    fclose(file);
    lw_free(text);
    return err;
}

const char *lw_model_source_name(const lw_model_source *source) {
    return source->name;
}

lw_err lw_model_print(const lw_model_source *source, char **out) {
    lw_text text = {0};
    lw_source_print(&text, source);
    return lw_text_take(&text, out);
}

static lw_err with_plan(const lw_model_source *source, lw_err (*write)(lw_text *, const lw_plan *), char **out) {
    lw_text text = {0};
    lw_plan *plan;
    *out = NULL;
    LW_TRY(lw_plan_create(source, &plan));
    lw_err err = write(&text, plan);
    lw_plan_destroy(&plan);
    if (err == LW_OK) return lw_text_take(&text, out);
    lw_text_clear(&text);
    return err;
}

static lw_err with_synapse(
    const lw_model_source *source, lw_err (*write)(const lw_model_source *, lw_text *), char **out) {
    lw_text text = {0};
    *out = NULL;
    lw_err err = write(source, &text);
    if (err == LW_OK) return lw_text_take(&text, out);
    lw_text_clear(&text);
    return err;
}

bool lw_model_source_is_synapse(const lw_model_source *source) {
    return source->synapse;
}

lw_err lw_model_emit(const lw_model_source *source, char **out) {
    if (source->synapse) return with_synapse(source, lw_synapse_emit_file, out);
    return with_plan(source, lw_emit_file, out);
}

lw_err lw_model_show(const lw_model_source *source, char **out) {
    if (source->synapse) return with_synapse(source, lw_synapse_emit_show, out);
    return with_plan(source, lw_emit_show, out);
}
