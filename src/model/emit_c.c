/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The generated file: head, coefficients, kernels in both precisions, tables, and the lw_model that ties them together.
 * It includes lapwing/kernel.h only and is valid C11 without warnings.
 */
#include "emit.h"
#include <math.h>
#include <stdio.h>

/* part of the key of every emitted model: raise it when the same text gives other code */
#define GENERATOR_VERSION "3"

/* ------------------------------------------------------------------ derive and init */

static void emit_gather(lw_emitter *e, lw_leaf leaf, int count, const char *array) {
    char name[2 * LW_NAME_MAX];
    for (int i = 0; i < count; i++) {
        if (!lw_emit_needs(e, leaf, i)) continue;
        lw_emit_leaf_name(e, leaf, i, name);
        lw_text_add(e->text, "    const double %s = %s[%d];\n", name, array, i);
    }
}

/* void <model>_<name>(double dt, const double *p, const double *t, double *c): c[i] = root[i](parameters p, directions
 * t). Where the name is param_adj_tan it also takes adjoints of coefficients and their tangents. */
static void emit_scalar_function(
    lw_emitter *e, const char *name, int n, const int32_t *root, const char *const *about) {
    const bool second = root == e->plan->param_adj_tan;
    const lw_model_source *s = e->plan->source;
    lw_text *text = e->text;
    lw_emit_begin(e, n, root);
    lw_text_add(text,
        "static void %s_%s(const double dt, const double *restrict const p, const double *restrict const t,\n"
        "    %sdouble *restrict const c) {\n    (void)dt, (void)p, (void)t, (void)c%s;\n",
        s->name, name, second ? "const double *restrict const a, const double *restrict const b, " : "",
        second ? ", (void)a, (void)b" : "");
    emit_gather(e, LW_LEAF_PARAM, s->n_param, "p");
    emit_gather(e, LW_LEAF_PARAM_TAN, s->n_param, "t");
    emit_gather(e, LW_LEAF_COEF_ADJ, e->plan->n_coef, second ? "a" : "t");
    if (second) emit_gather(e, LW_LEAF_COEF_ADJ_TAN, e->plan->n_coef, "b");
    lw_emit_temporaries(e, "    ");
    for (int i = 0; i < n; i++) {
        lw_text_add(text, "    c[%d] = ", i);
        lw_emit_value(e, root[i]);
        lw_text_add(text, ";%s%s%s\n", about ? " /* " : "", about ? about[i] : "", about ? " */" : "");
    }
    lw_text_add(text, "}\n\n");
}

/* arrays of one element keep models without parameters or coefficients legal C */
static int at_least_one(int n) {
    return n > 0 ? n : 1;
}

static void emit_loop(
    lw_emitter *e, const char *head, const char *locals, const char *gather, const char *call, const char *scatter) {
    lw_text_add(e->text, "static void %s_%s {\n    for (int64_t i = 0; i < n; i++) {\n", e->plan->source->name, head);
    lw_text_add(e->text, "        double %s;\n%s        %s_%s;\n%s    }\n}\n\n", locals, gather, e->plan->source->name,
        call, scatter);
}

static void emit_derive_second(lw_emitter *e, int n_param, int n_coef) {
    const bool any = e->plan->source->n_param > 0;
    char locals[160], gather[512];
    snprintf(locals, sizeof locals, "p[%d] = {0}, t[%d] = {0}, a[%d] = {0}, b[%d] = {0}, c[%d] = {0}", n_param, n_param,
        n_coef, n_coef, n_param);
    snprintf(gather, sizeof gather, "%s%s",
        any ? "        for (int k = 0; k < PARAMS; k++) {\n            p[k] = param[k][i];\n"
              "            t[k] = param_tan[k] ? param_tan[k][i] : 0;\n        }\n"
            : "        (void)param, (void)param_tan;\n",
        e->plan->n_coef ? "        for (int k = 0; k < COEFS; k++) {\n            a[k] = coef_adj[k][i];\n"
                          "            b[k] = coef_adj_tan[k][i];\n        }\n"
                        : "        (void)coef_adj, (void)coef_adj_tan;\n");
    emit_loop(e,
        "derive_adj_tan(int64_t n, double dt, const double *const *param, const double *const *param_tan,\n"
        "    const double *const *coef_adj, const double *const *coef_adj_tan, double *const *param_adj_tan)",
        locals, gather, "param_adj_tan(dt, p, t, a, b, c)",
        any ? "        for (int k = 0; k < PARAMS; k++)\n            if (param_adj_tan[k]) param_adj_tan[k][i] += "
              "c[k];\n"
            : "        (void)param_adj_tan;\n");
}

void lw_emit_derive(lw_emitter *e) {
    const lw_plan *plan = e->plan;
    const lw_model_source *s = plan->source;
    const char *coef_about[LW_COEF_MAX], *state_about[LW_AST_MAX];
    const int n_param = at_least_one(s->n_param), n_coef = at_least_one(plan->n_coef),
              n_state = at_least_one(s->n_state);
    char locals[128], scatter[512];
    const char *gather =
        s->n_param ? "        for (int k = 0; k < PARAMS; k++)\n            p[k] = param[k][i];\n" : "";
    e->single = false;
    for (int c = 0; c < plan->n_coef; c++)
        coef_about[c] = e->coef[c];
    for (int i = 0; i < s->n_state; i++)
        state_about[i] = s->state[i].name;
    lw_text_add(e->text, "enum { PARAMS = %d, COEFS = %d, STATES = %d };\n\n", s->n_param, plan->n_coef, s->n_state);
    lw_text_add(e->text, "/* coefficients c of one neuron from its parameters p */\n");
    emit_scalar_function(e, "coef", plan->n_coef, plan->coef, coef_about);
    lw_text_add(e->text, "/* their change c along the direction t of the parameters */\n");
    emit_scalar_function(e, "coef_tan", plan->n_coef, plan->coef_tan, coef_about);
    lw_text_add(e->text, "/* adjoint c of the parameters from the adjoint t of the coefficients */\n");
    emit_scalar_function(e, "param_adj", s->n_param, plan->param_adj, NULL);
    lw_text_add(e->text, "/* its change along the direction t of the parameters and b of a, the coefficients' */\n");
    emit_scalar_function(e, "param_adj_tan", s->n_param, plan->param_adj_tan, NULL);
    emit_scalar_function(e, "init_one", s->n_state, plan->init, state_about);

    snprintf(locals, sizeof locals, "p[%d] = {0}, c[%d] = {0}", n_param, n_coef);
    emit_loop(e, "derive(int64_t n, double dt, const double *const *param, int32_t precision, void *const *coef)",
        locals, gather, "coef(dt, p, NULL, c)",
        plan->n_coef ? "        for (int k = 0; k < COEFS; k++) {\n            if (precision)\n"
                       "                ((double *)coef[k])[i] = c[k];\n            else\n"
                       "                ((float *)coef[k])[i] = (float)c[k];\n        }\n"
                     : "        (void)coef, (void)precision, (void)param;\n");
    snprintf(locals, sizeof locals, "p[%d] = {0}, t[%d] = {0}, c[%d] = {0}", n_param, n_param, n_coef);
    emit_loop(e,
        "derive_tan(\n    int64_t n, double dt, const double *const *param, const double *const *param_tan, "
        "double *const *coef_tan)",
        locals,
        s->n_param ? "        for (int k = 0; k < PARAMS; k++) {\n            p[k] = param[k][i];\n"
                     "            t[k] = param_tan[k] ? param_tan[k][i] : 0;\n        }\n"
                   : "        (void)param, (void)param_tan;\n",
        "coef_tan(dt, p, t, c)",
        plan->n_coef ? "        for (int k = 0; k < COEFS; k++)\n            coef_tan[k][i] = c[k];\n"
                     : "        (void)coef_tan;\n");
    snprintf(locals, sizeof locals, "p[%d] = {0}, t[%d] = {0}, c[%d] = {0}", n_param, n_coef, n_param);
    snprintf(scatter, sizeof scatter, "%s%s", gather,
        plan->n_coef ? "        for (int k = 0; k < COEFS; k++)\n            t[k] = coef_adj[k][i];\n" : "");
    emit_loop(e,
        "derive_adj(\n    int64_t n, double dt, const double *const *param, const double *const *coef_adj, "
        "double *const *param_adj)",
        locals, scatter, "param_adj(dt, p, t, c)",
        s->n_param
            ? "        for (int k = 0; k < PARAMS; k++)\n            if (param_adj[k]) param_adj[k][i] += c[k];\n"
            : "        (void)param_adj;\n");
    emit_derive_second(e, n_param, n_coef);
    snprintf(locals, sizeof locals, "p[%d] = {0}, c[%d] = {0}", n_param, n_state);
    emit_loop(e, "init(int64_t n, double dt, const double *const *param, double *const *state)", locals, gather,
        "init_one(dt, p, NULL, c)",
        s->n_state ? "        for (int k = 0; k < STATES; k++)\n            state[k][i] = c[k];\n"
                   : "        (void)state;\n");
}

/* ------------------------------------------------------------------ kernels */

/* Bodies of long formulas (several stages or steps of Runge-Kutta) are compiled in few forms: every form is a copy of
 * the whole, and there are some 60. `step` of a simulation is worth its three, the others get one whose loops look at
 * their arguments while they run. */
static bool is_large(lw_emitter *e, const lw_body *body) {
    enum { LARGE = 250 };
    int32_t root[LW_STORE_MAX];
    int n = 0;
    for (int i = 0; i < body->n_store; i++)
        root[i] = body->store[i].node;
    lw_emit_begin(e, body->n_store, root);
    for (int32_t i = 0; i < e->plan->g->count; i++)
        n += e->uses[i] > 0;
    return n > LARGE;
}

static void emit_one_form(lw_emitter *e, const lw_body *body) {
    const char *model = e->plan->source->name, *real = e->single ? "f32" : "f64", *forms[] = {"general", "uniform"};
    lw_text_add(e->text,
        "static __attribute__((noinline)) void %s_%s_%s_any(const lw_kernel_args *args, const int flat, const "
        "int64_t stride) {\n    %s_%s_%s(args, flat, 0, stride);\n}\n",
        model, body->name, real, model, body->name, real);
    for (int f = 0; f < 2; f++)
        lw_text_add(e->text,
            "static void %s_%s_%s_%s(const lw_kernel_args *args) {\n    %s_%s_%s_any(args, %s, %d);\n}\n", model,
            body->name, real, forms[f], model, body->name, real, f ? "1" : "args->width == 1", !f);
}

static void emit_forward(lw_emitter *e, const lw_body *body) {
    const char *model = e->plan->source->name, *real = e->single ? "f32" : "f64";
    const bool one_form = body != &e->plan->step && is_large(e, body);
    lw_emit_kernel(e, body);
    if (one_form) {
        emit_one_form(e, body);
        return;
    }
    lw_text_add(e->text, "static void %s_%s_%s_general(const lw_kernel_args *args) {\n", model, body->name, real);
    lw_text_add(e->text, "    if (args->width == 1)\n        %s_%s_%s(args, 1, 0, 1);\n", model, body->name, real);
    lw_text_add(e->text, "    else\n        %s_%s_%s(args, 0, 0, 1);\n}\n", model, body->name, real);
    lw_text_add(e->text, "static void %s_%s_%s_uniform(const lw_kernel_args *args) {\n", model, body->name, real);
    lw_text_add(e->text, "    %s_%s_%s(args, 1, 0, 0);\n}\n\n", model, body->name, real);
}

static void emit_widths(lw_emitter *e, const lw_body *body) {
    const char *model = e->plan->source->name, *real = e->single ? "f32" : "f64";
    const bool large = is_large(e, body);
    lw_emit_kernel(e, body);
    if (large) {
        lw_text_add(e->text,
            "static __attribute__((noinline)) void %s_%s_%s_widths(const lw_kernel_args *args, const int64_t stride) "
            "{\n"
            "    %s_%s_%s(args, args->width == 1, args->width != 1 && args->point_width == 1, stride);\n}\n\n",
            model, body->name, real, model, body->name, real);
        return;
    }
    lw_text_add(e->text, "static void %s_%s_%s_widths(const lw_kernel_args *args, const int64_t stride) {\n", model,
        body->name, real);
    lw_text_add(
        e->text, "    if (args->width == 1 && stride)\n        %s_%s_%s(args, 1, 0, 1);\n", model, body->name, real);
    lw_text_add(e->text, "    else if (args->width == 1)\n        %s_%s_%s(args, 1, 0, 0);\n", model, body->name, real);
    lw_text_add(e->text, "    else if (args->point_width == 1)\n        %s_%s_%s(args, 0, 1, stride);\n", model,
        body->name, real);
    lw_text_add(e->text, "    else\n        %s_%s_%s(args, 0, 0, stride);\n}\n\n", model, body->name, real);
}

static void emit_derivative(lw_emitter *e, const lw_body body[2], const char *direction) {
    const char *model = e->plan->source->name, *real = e->single ? "f32" : "f64", *name = body[0].name;
    static const char *const form[2] = {"general", "uniform"};
    emit_widths(e, &body[0]);
    emit_widths(e, &body[1]);
    for (int f = 0; f < 2; f++) {
        lw_text_add(e->text, "static void %s_%s_%s_%s(const lw_kernel_args *args) {\n", model, name, real, form[f]);
        lw_text_add(e->text, "    if (args->%s)\n        %s_%s_%s_widths(args, %d);\n", direction, model, body[1].name,
            real, 1 - f);
        lw_text_add(e->text, "    else\n        %s_%s_%s_widths(args, %d);\n}\n", model, name, real, 1 - f);
    }
    lw_text_add(e->text, "\n");
}

/* Second derivatives are long and rarely wanted: one form, in double precision only. */
static void emit_second(lw_emitter *e, const lw_body *body) {
    const char *model = e->plan->source->name, *name = body->name;
    if (e->single) return;
    lw_emit_kernel(e, body);
    lw_text_add(e->text,
        "static __attribute__((noinline)) void %s_%s_f64_any(const lw_kernel_args *args, const int64_t stride) {\n"
        "    %s_%s_f64(args, args->width == 1, args->width != 1 && args->point_width == 1, stride);\n}\n",
        model, name, model, name);
    for (int f = 0; f < 2; f++)
        lw_text_add(e->text,
            "static void %s_%s_f64_%s(const lw_kernel_args *args) {\n    %s_%s_f64_any(args, %d);\n}\n", model, name,
            f ? "uniform" : "general", model, name, 1 - f);
    lw_text_add(e->text, "\n");
}

static void emit_kernels(lw_emitter *e) {
    const lw_plan *plan = e->plan;
    emit_forward(e, &plan->step);
    emit_forward(e, &plan->update);
    emit_forward(e, &plan->fire);
    emit_derivative(e, plan->update_tan, "coef_tan");
    emit_derivative(e, plan->fire_tan, "coef_tan");
    emit_derivative(e, plan->fire_adj, "coef_adj");
    emit_derivative(e, plan->update_adj, "coef_adj");
    emit_second(e, &plan->fire_adj_tan);
    emit_second(e, &plan->update_adj_tan);
}

/* ------------------------------------------------------------------ tables */

static void emit_bound(lw_text *text, double bound) {
    char number[32];
    lw_text_number(number, bound);
    if (isfinite(bound))
        lw_text_add(text, "%s", number);
    else
        lw_text_add(text, "%sINFINITY", bound < 0 ? "-" : "");
}

static void emit_strings(lw_text *text, const lw_decl *decl) {
    lw_text_add(text, "    {\"%s\", \"%s\", ", decl->name, decl->unit);
    lw_text_add_literal(text, decl->about);
}

static void emit_names(lw_text *text, const char *what, const lw_decl *list, int n) {
    char scale[32];
    if (!n) return;
    lw_text_add(text, "static const lw_model_name %s_names[] = {\n", what);
    for (int i = 0; i < n; i++) {
        lw_text_number(scale, list[i].scale);
        emit_strings(text, &list[i]);
        lw_text_add(text, ", %s},\n", scale);
    }
    lw_text_add(text, "};\n\n");
}

void lw_emit_params(lw_text *text, const lw_model_source *s) {
    char value[32], scale[32];
    if (!s->n_param) return;
    lw_text_add(text, "static const lw_model_param param_table[] = {\n");
    for (int i = 0; i < s->n_param; i++) {
        const lw_decl *p = &s->param[i];
        lw_text_number(value, p->value);
        lw_text_number(scale, p->scale);
        emit_strings(text, p);
        lw_text_add(text, ", %s, %s, ", value, scale);
        emit_bound(text, p->lo);
        lw_text_add(text, ", ");
        emit_bound(text, p->hi);
        lw_text_add(text, ", %d, %d},\n", p->lo_open, p->hi_open);
    }
    lw_text_add(text, "};\n\n");
}

static void emit_set(lw_text *text, const lw_plan *plan, const char *real, const char *form, bool second) {
    const char *model = plan->source->name;
    static const char *const names[] = {
        "step", "update", "fire", "update_tan", "fire_tan", "fire_adj", "update_adj", "fire_adj_tan", "update_adj_tan"};
    lw_text_add(text, "            {");
    for (int k = 0; k < (second ? 9 : 7); k++)
        lw_text_add(text, "%s%s_%s_%s_%s", k ? ",\n                " : "", model, names[k], real, form);
    lw_text_add(text, "%s},\n", second ? "" : ",\n                NULL, NULL");
}

static void emit_model(lw_text *text, const lw_plan *plan) {
    const lw_model_source *s = plan->source;
    uint64_t key = lw_text_hash(GENERATOR_VERSION, lw_text_hash(s->text, LW_TEXT_HASH_START));
    lw_emit_params(text, s);
    emit_names(text, "state", s->state, s->n_state);
    emit_names(text, "input", s->input, s->n_input);
    lw_text_add(text, "extern const lw_model lw_model_%s;\nconst lw_model lw_model_%s = {\n", s->name, s->name);
    lw_text_add(text, "    .abi = LW_KERNEL_ABI,\n    .name = \"%s\",\n    .about = ", s->name);
    lw_text_add_literal(text, s->about);
    lw_text_add(text, ",\n    .text = ");
    lw_text_add_literal(text, s->text);
    lw_text_add(text, ",\n    .key = \"%016llx\",\n", (unsigned long long)key);
    lw_text_add(text, "    .n_param = %d,\n    .n_state = %d,\n    .n_input = %d,\n    .n_coef = %d,\n", s->n_param,
        s->n_state, s->n_input, plan->n_coef);
    if (s->n_param) lw_text_add(text, "    .param = param_table,\n");
    if (s->n_state) lw_text_add(text, "    .state = state_names,\n");
    if (s->n_input) lw_text_add(text, "    .input = input_names,\n");
    lw_text_add(text, "    .emits_spikes = %d,\n    .has_refractory = %d,\n    .refractory_coef = %d,\n",
        plan->margin >= 0, plan->refractory_coef >= 0, plan->refractory_coef);
    for (int c = 0; c < 2; c++)
        lw_text_add(text, "    .need%s = {0x%xu, 0x%xu, 0x%xu},\n", c ? "_coef" : "", plan->need[c][0],
            plan->need[c][1], plan->need[c][2]);
    lw_text_add(text, "    .need_second = {0x%xu, 0x%xu, 0x%xu},\n    .need_tan = {0x%xu, 0x%xu, 0x%xu},\n",
        plan->need_second[0], plan->need_second[1], plan->need_second[2], plan->need_tan[0], plan->need_tan[1],
        plan->need_tan[2]);
    lw_text_add(text,
        "    .derive = %s_derive,\n    .derive_tan = %s_derive_tan,\n    .derive_adj = %s_derive_adj,\n    "
        ".derive_adj_tan = %s_derive_adj_tan,\n    .init = %s_init,\n",
        s->name, s->name, s->name, s->name, s->name);
    lw_text_add(text, "    .set =\n        {{\n");
    emit_set(text, plan, "f32", "general", false);
    emit_set(text, plan, "f32", "uniform", false);
    lw_text_add(text, "        }, {\n");
    emit_set(text, plan, "f64", "general", true);
    emit_set(text, plan, "f64", "uniform", true);
    lw_text_add(text, "        }},\n};\n");
}

void lw_emit_head(lw_text *text, const lw_model_source *s) {
    lw_text_add(text, "/* SPDX-License-Identifier: BSD-3-Clause\n *\n * Generated by lapwing-modelc from the model "
                      "text below.\n *\n");
    lw_text canonical = {0};
    lw_source_print(&canonical, s);
    const char *line = lw_text_get(&canonical);
    while (*line) {
        int length = 0;
        while (line[length] && line[length] != '\n')
            length++;
        lw_text_add(text, " *     ");
        for (int i = 0; i < length; i++) /* a comment must not end early */
            lw_text_add(text, "%c%s", line[i], line[i] == '*' && line[i + 1] == '/' ? " " : "");
        lw_text_add(text, "\n");
        line += length + (line[length] == '\n');
    }
    lw_text_clear(&canonical);
    lw_text_add(text, " */\n#include <lapwing/kernel.h>\n\n");
}

lw_err lw_emit_file(lw_text *text, const lw_plan *plan) {
    lw_emitter *e;
    LW_TRY(lw_emitter_create(text, plan, &e));
    lw_emit_head(text, plan->source);
    lw_emit_derive(e);
    e->looped = true;
    for (int p = 0; p < 2; p++) {
        e->single = p == 0;
        lw_text_add(
            text, "/* ---------------------------------------------------------------- %s */\n\n", lw_emitter_real(e));
        emit_kernels(e);
    }
    emit_model(text, plan);
    lw_emitter_destroy(&e);
    return text->err;
}
