/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Synapse models: from the checked tree to the generated C file. The flow of pre and post variables between spikes is
 * integrated exactly over the time since the neuron's last spike, which takes the place of dt; events run through their
 * lines in the order written. The loop over synapses is lw_synapse_row_run of kernel.h, specialised by what is emitted
 * here.
 */
#include <lapwing/model.h>
#include <stdio.h>
#include <string.h>
#include "emit.h"

#define GENERATOR_VERSION "1"

typedef struct synapse_plan {
    lw_plan *base;         /* graph, coefficients, names */
    int n[3];              /* variables by role */
    int place[LW_AST_MAX]; /* of a variable among those of its role */
    int weight;
    int32_t derived[LW_AST_PARAM_MAX];
    int32_t init[LW_AST_MAX];
    int32_t flow[LW_AST_MAX];                   /* after the time DT, in OLD */
    int32_t jump[LW_AST_MAX];                   /* of pre and post variables at their spike, in OLD */
    int32_t post_weight, pre_weight, delivered; /* in OLD, all at the time of the event */
} synapse_plan;

/* ------------------------------------------------------------------ lowering */

static int32_t map_pre_to_old(lw_dag *g, void *payload, lw_leaf leaf, int index) {
    (void)payload;
    return leaf == LW_LEAF_PRE ? lw_dag_leaf(g, LW_LEAF_OLD, index) : -1;
}

/* all ode lines of one role */
static lw_err lower_flow(synapse_plan *sp, lw_role role) {
    lw_plan *plan = sp->base;
    const lw_model_source *s = plan->source;
    int n = 0, state[LW_AST_MAX];
    const lw_statement *line[LW_AST_MAX];
    int32_t rate[LW_AST_MAX], next[LW_AST_MAX], at_pre[LW_AST_MAX] = {0};
    for (int i = 0; i < s->n_state; i++)
        at_pre[i] = lw_dag_leaf(plan->g, LW_LEAF_PRE, i);
    for (int i = 0; i < s->n_statement; i++) {
        const lw_statement *t = &s->statement[i];
        if (t->kind != LW_STATEMENT_ODE || s->role[t->state] != role) continue;
        line[n] = t;
        state[n] = t->state;
        rate[n++] = lw_lower_expr(plan, at_pre, sp->derived, t->expr);
    }
    if (n == 0) return LW_OK;
    LW_TRY(lw_integrate_run(plan, n, state, line, rate, next));
    lw_dag_substitute(plan->g, n, next, map_pre_to_old, NULL, next);
    for (int v = 0; v < n; v++)
        sp->flow[state[v]] = next[v];
    return LW_OK;
}

/* the lines of one event, in order; a comma list takes all its right-hand sides first */
static void lower_event(synapse_plan *sp, lw_statement_kind kind, int32_t *now) {
    const lw_model_source *s = sp->base->source;
    for (int i = 0; i < s->n_statement;) {
        int end = i + 1;
        if (s->statement[i].kind != kind) {
            i++;
            continue;
        }
        while (end < s->n_statement && s->statement[end].kind == kind && s->statement[end].joined)
            end++;
        int32_t value[LW_AST_STATEMENT_MAX];
        for (int k = i; k < end; k++)
            value[k - i] = lw_lower_expr(sp->base, now, sp->derived, s->statement[k].expr);
        for (int k = i; k < end; k++)
            now[s->statement[k].state] = value[k - i];
        i = end;
    }
}

static lw_err lower(synapse_plan *sp) {
    lw_plan *plan = sp->base;
    const lw_model_source *s = plan->source;
    int32_t old[LW_AST_MAX] = {0}, now[LW_AST_MAX];
    for (int i = 0; i < s->n_param; i++)
        lw_plan_hint(plan, lw_dag_leaf(plan->g, LW_LEAF_PARAM, i), "%s", s->param[i].name);
    for (int i = 0; i < s->n_derived; i++) {
        sp->derived[i] = lw_lower_expr(plan, old, sp->derived, s->derived[i].expr);
        lw_plan_hint(plan, sp->derived[i], "%s", s->derived[i].name);
    }
    for (int i = 0; i < s->n_state; i++) {
        sp->place[i] = sp->n[s->role[i]]++;
        if (s->role[i] == LW_ROLE_WEIGHT)
            sp->weight = i;
        else
            sp->init[i] = lw_lower_expr(plan, old, sp->derived, s->state[i].expr);
    }
    for (int i = 0; i < s->n_state; i++)
        sp->flow[i] = old[i] = lw_dag_leaf(plan->g, LW_LEAF_OLD, i);
    LW_TRY(lower_flow(sp, LW_ROLE_PRE));
    LW_TRY(lower_flow(sp, LW_ROLE_POST));
    memcpy(now, old, sizeof now);
    lower_event(sp, LW_STATEMENT_ON_POST, now);
    sp->post_weight = now[sp->weight];
    for (int i = 0; i < s->n_state; i++)
        if (s->role[i] == LW_ROLE_POST) sp->jump[i] = now[i];
    memcpy(now, old, sizeof now);
    lower_event(sp, LW_STATEMENT_ON_PRE, now);
    sp->pre_weight = now[sp->weight];
    sp->delivered = lw_lower_expr(plan, now, sp->derived, s->output);
    for (int i = 0; i < s->n_state; i++)
        if (s->role[i] == LW_ROLE_PRE) sp->jump[i] = now[i];
    return plan->g->err;
}

/* ------------------------------------------------------------------ coefficients */

static bool of_params(const lw_dag *g, int32_t node) {
    return g->node[node].depends == 1u << LW_LEAF_PARAM;
}

static int32_t coef_leaf(lw_plan *plan, int32_t node) {
    int c = 0;
    while (c < plan->n_coef && plan->coef[c] != node)
        c++;
    if (c == LW_SYNAPSE_COEF_MAX) {
        if (plan->g->err == LW_OK)
            plan->g->err =
                LW_FAIL(LW_EMODEL, "%s:%d:%d: found a synapse with more than %d coefficients, expected fewer",
                    plan->source->file, plan->source->name_line, plan->source->name_column, LW_SYNAPSE_COEF_MAX);
        return 0;
    }
    if (c == plan->n_coef) {
        const char *hint = lw_plan_hint_find(plan, node);
        plan->coef[plan->n_coef++] = node;
        if (hint)
            snprintf(plan->coef_name[c], LW_NAME_MAX, "%.90s", hint);
        else
            snprintf(plan->coef_name[c], LW_NAME_MAX, "coef_%d", c);
    }
    return lw_dag_leaf(plan->g, LW_LEAF_COEF, c);
}

static lw_err hoist(synapse_plan *sp) {
    lw_plan *plan = sp->base;
    lw_dag *g = plan->g;
    int32_t *root[2 * LW_AST_MAX + 3], *image = NULL, count = g->count;
    int n = 0;
    bool *mark = NULL;
    for (int i = 0; i < plan->source->n_state; i++) {
        root[n++] = &sp->flow[i];
        if (i != sp->weight) root[n++] = &sp->jump[i];
    }
    root[n++] = &sp->post_weight;
    root[n++] = &sp->pre_weight;
    root[n++] = &sp->delivered;
    LW_TRY(g->err);
    lw_err err = lw_alloc((size_t)count, sizeof *mark, "coefficients", &mark);
    if (err == LW_OK) err = lw_alloc((size_t)count, sizeof *image, "coefficients", &image);
    for (int i = 0; err == LW_OK && i < n; i++)
        lw_dag_mark(g, *root[i], mark);
    for (int32_t i = 0; err == LW_OK && i < count; i++) {
        const lw_node node = g->node[i];
        int32_t arg[LW_NODE_ARG_MAX];
        image[i] = i;
        if (!mark[i] || of_params(g, i)) continue;
        for (int a = 0; a < node.n_arg; a++)
            arg[a] = of_params(g, node.arg[a]) ? coef_leaf(plan, node.arg[a]) : image[node.arg[a]];
        image[i] = lw_dag_rebuild(g, i, arg);
    }
    for (int i = 0; err == LW_OK && i < n; i++)
        *root[i] = of_params(g, *root[i]) ? coef_leaf(plan, *root[i]) : image[*root[i]];
    lw_free(mark);
    lw_free(image);
    return err == LW_OK ? g->err : err;
}

static void plan_destroy(synapse_plan *sp) {
    lw_plan_destroy(&sp->base);
}

static lw_err plan_create(const lw_model_source *source, synapse_plan *sp) {
    lw_err err = LW_OK;
    memset(sp, 0, sizeof *sp);
    LW_TRY(lw_alloc(1, sizeof *sp->base, "plan of a synapse", &sp->base));
    sp->base->source = source;
    sp->base->refractory_coef = -1;
    LW_TRY_TO(lw_dag_create(&sp->base->g), done);
    LW_TRY_TO(lower(sp), done);
    err = hoist(sp);
done:
    if (err != LW_OK) plan_destroy(sp);
    return err;
}

lw_err lw_synapse_check_run(const lw_model_source *source) {
    synapse_plan sp;
    LW_TRY(plan_create(source, &sp));
    plan_destroy(&sp);
    return LW_OK;
}

/* ------------------------------------------------------------------ emission */

/* C text of a variable's value where the function keeps it */
static void place_text(const synapse_plan *sp, int i, char out[32]) {
    static const char *const arrays[] = {"pre", "post"};
    lw_role role = sp->base->source->role[i];
    if (role == LW_ROLE_WEIGHT)
        snprintf(out, 32, "weight");
    else
        snprintf(out, 32, "%s[%d]", arrays[role], sp->place[i]);
}

static void gather(lw_emitter *e, const synapse_plan *sp, const char *weight) {
    char name[2 * LW_NAME_MAX], place[32];
    for (int k = 0; k < e->plan->n_coef; k++) {
        if (!lw_emit_needs(e, LW_LEAF_COEF, k)) continue;
        lw_emit_leaf_name(e, LW_LEAF_COEF, k, name);
        lw_text_add(e->text, "    const double %s = coef[%d];\n", name, k);
    }
    for (int i = 0; i < e->plan->source->n_state; i++) {
        if (!lw_emit_needs(e, LW_LEAF_OLD, i)) continue;
        lw_emit_leaf_name(e, LW_LEAF_OLD, i, name);
        place_text(sp, i, place);
        lw_text_add(e->text, "    const double %s = %s;\n", name, i == sp->weight ? weight : place);
    }
    lw_emit_temporaries(e, "    ");
}

/* {inline void} <name>_<what>(coef, dt, pre|post): every variable of the role becomes its node of `value` */
static void emit_state(lw_emitter *e, const synapse_plan *sp, const char *what, lw_role role, const int32_t *value) {
    const lw_model_source *s = e->plan->source;
    const char *array = role == LW_ROLE_PRE ? "pre" : "post";
    int32_t root[LW_AST_MAX];
    int n = 0;
    for (int i = 0; i < s->n_state; i++)
        if (s->role[i] == role) root[n++] = value[i];
    lw_emit_begin(e, n, root);
    lw_text_add(e->text,
        "LW_KERNEL_INLINE void %s_%s(const double *coef, const double dt, double *%s) {\n    (void)coef, (void)dt, "
        "(void)%s;\n",
        s->name, what, array, array);
    gather(e, sp, "");
    for (int i = 0, k = 0; i < s->n_state; i++)
        if (s->role[i] == role) {
            lw_text_add(e->text, "    %s[%d] = ", array, sp->place[i]);
            lw_emit_value(e, root[k++]);
            lw_text_add(e->text, ";\n");
        }
    lw_text_add(e->text, "}\n\n");
}

static void emit_weights(lw_emitter *e, const synapse_plan *sp) {
    const char *name = e->plan->source->name;
    const int32_t root[2] = {sp->pre_weight, sp->delivered};
    lw_text_add(e->text,
        "LW_KERNEL_INLINE double %s_post_weight(const double *coef, const double *pre, const double *post, double "
        "weight) {\n    (void)coef, (void)pre, (void)post;\n",
        name);
    lw_emit_begin(e, 1, &sp->post_weight);
    gather(e, sp, "weight");
    lw_text_add(e->text, "    return ");
    lw_emit_value(e, sp->post_weight);
    lw_text_add(e->text, ";\n}\n\n");
    lw_text_add(e->text,
        "LW_KERNEL_INLINE void %s_pre_weight(\n    const double *coef, const double *pre, const double *post, double "
        "*weight, double *delivered) {\n    (void)coef, (void)pre, (void)post;\n",
        name);
    lw_emit_begin(e, 2, root);
    gather(e, sp, "*weight");
    lw_text_add(e->text, "    *delivered = ");
    lw_emit_value(e, sp->delivered);
    lw_text_add(e->text, ";\n    *weight = ");
    lw_emit_value(e, sp->pre_weight);
    lw_text_add(e->text, ";\n}\n\n");
}

/* from parameters alone: coefficients, and the variables at the start */
static void emit_from_params(lw_emitter *e, const synapse_plan *sp) {
    const lw_model_source *s = e->plan->source;
    char name[2 * LW_NAME_MAX], place[32];
    for (int pass = 0; pass < 2; pass++) {
        int n = pass ? s->n_state : e->plan->n_coef;
        lw_emit_begin(e, n, pass ? sp->init : e->plan->coef);
        lw_text_add(e->text, "static void %s_%s(const double *param, %s) {\n    (void)param, %s;\n", s->name,
            pass ? "init" : "derive", pass ? "double *pre, double *post" : "double *coef",
            pass ? "(void)pre, (void)post" : "(void)coef");
        for (int i = 0; i < s->n_param; i++) {
            if (!lw_emit_needs(e, LW_LEAF_PARAM, i)) continue;
            lw_emit_leaf_name(e, LW_LEAF_PARAM, i, name);
            lw_text_add(e->text, "    const double %s = param[%d];\n", name, i);
        }
        lw_emit_temporaries(e, "    ");
        for (int i = 0; i < n; i++) {
            if (pass && i == sp->weight) continue;
            snprintf(place, sizeof place, "coef[%d]", i);
            if (pass) place_text(sp, i, place);
            lw_text_add(e->text, "    %s = ", place);
            lw_emit_value(e, pass ? sp->init[i] : e->plan->coef[i]);
            lw_text_add(e->text, ";\n");
        }
        lw_text_add(e->text, "}\n\n");
    }
}

static bool reads_post(lw_emitter *e, int n, const int32_t *root) {
    bool found = false;
    lw_emit_begin(e, n, root);
    for (int i = 0; i < e->plan->source->n_state; i++)
        if (e->plan->source->role[i] == LW_ROLE_POST) found = found || lw_emit_needs(e, LW_LEAF_OLD, i);
    return found;
}

static void emit_names(lw_text *text, const lw_model_source *s, lw_role role) {
    bool any = false;
    for (int i = 0; i < s->n_state; i++) {
        if (s->role[i] != role) continue;
        lw_text_add(text, "%s\"%s\"", any ? ", " : "", s->state[i].name);
        any = true;
    }
}

static void emit_model(lw_emitter *e, const synapse_plan *sp) {
    const lw_model_source *s = e->plan->source;
    lw_text *text = e->text;
    const int32_t weight = lw_dag_leaf(e->plan->g, LW_LEAF_OLD, sp->weight),
                  at_pre[2] = {sp->pre_weight, sp->delivered};
    bool on_post = sp->post_weight != weight, on_pre = sp->pre_weight != weight;
    bool post_reads = on_post && reads_post(e, 1, &sp->post_weight), pre_reads = reads_post(e, 2, at_pre);
    uint64_t key = lw_text_hash(GENERATOR_VERSION, lw_text_hash(s->text, LW_TEXT_HASH_START));
    static const char *const sides[] = {"pre", "post"};
    for (int r = 0; r < 2; r++)
        lw_text_add(text,
            "static void %s_%s_spike(const double *coef, double ms, double *%s) {\n    %s_%s_flow(coef, ms, %s);\n    "
            "%s_%s_jump(coef, ms, %s);\n}\n",
            s->name, sides[r], sides[r], s->name, sides[r], sides[r], s->name, sides[r], sides[r]);
    lw_text_add(text,
        "\nstatic const lw_synapse_code code = {%d, %d, %d, %d, %d, %d, %d, %s_pre_flow, %s_post_flow, %s_post_weight, "
        "%s_pre_weight};\n",
        e->plan->n_coef, sp->n[LW_ROLE_PRE], sp->n[LW_ROLE_POST], on_post, post_reads, pre_reads, on_pre, s->name,
        s->name, s->name, s->name);
    for (int f = 0; f < 2; f++)
        lw_text_add(text,
            "static void %s_row_f%d(const lw_synapse_row *row) {\n    lw_synapse_row_run(row, code, %d);\n}\n", s->name,
            f ? 64 : 32, f);
    lw_text_add(text, "\n");
    lw_emit_params(text, s);
    for (int r = 0; r < 2; r++) {
        if (!sp->n[r]) continue;
        lw_text_add(text, "static const char *const %s_names[] = {", sides[r]);
        emit_names(text, s, (lw_role)r);
        lw_text_add(text, "};\n");
    }
    lw_text_add(text, "extern const lw_synapse_model lw_synapse_%s;\nconst lw_synapse_model lw_synapse_%s = {\n",
        s->name, s->name);
    lw_text_add(text, "    .abi = LW_KERNEL_ABI,\n    .name = \"%s\",\n    .about = ", s->name);
    lw_text_add_literal(text, s->about);
    lw_text_add(text, ",\n    .text = ");
    lw_text_add_literal(text, s->text);
    lw_text_add(text, ",\n    .key = \"%016llx\",\n", (unsigned long long)key);
    lw_text_add(text, "    .n_param = %d,\n    .n_pre = %d,\n    .n_post = %d,\n    .n_coef = %d,\n", s->n_param,
        sp->n[LW_ROLE_PRE], sp->n[LW_ROLE_POST], e->plan->n_coef);
    if (s->n_param) lw_text_add(text, "    .param = param_table,\n");
    for (int r = 0; r < 2; r++)
        if (sp->n[r]) lw_text_add(text, "    .%s = %s_names,\n", sides[r], sides[r]);
    lw_text_add(text, "    .needs_post = %d,\n    .post_changes_weight = %d,\n", on_post || pre_reads, on_post);
    lw_text_add(text,
        "    .derive = %s_derive,\n    .init = %s_init,\n    .pre_spike = %s_pre_spike,\n    .post_spike = "
        "%s_post_spike,\n    .row = {%s_row_f32, %s_row_f64},\n};\n",
        s->name, s->name, s->name, s->name, s->name, s->name);
}

static void emit_functions(lw_emitter *e, const synapse_plan *sp) {
    emit_from_params(e, sp);
    emit_state(e, sp, "pre_flow", LW_ROLE_PRE, sp->flow);
    emit_state(e, sp, "pre_jump", LW_ROLE_PRE, sp->jump);
    emit_state(e, sp, "post_flow", LW_ROLE_POST, sp->flow);
    emit_state(e, sp, "post_jump", LW_ROLE_POST, sp->jump);
    emit_weights(e, sp);
}

static lw_err write_text(const lw_model_source *source, bool code, lw_text *text) {
    synapse_plan sp;
    lw_emitter *e = NULL;
    LW_TRY(plan_create(source, &sp));
    lw_err err = lw_emitter_create(text, sp.base, &e);
    if (err == LW_OK) {
        e->power = true;
        if (code) lw_emit_head(text, source);
        if (!code) lw_source_print(text, source);
        lw_text_add(text, code ? "" : "\n");
        emit_functions(e, &sp);
        if (code) emit_model(e, &sp);
        err = text->err != LW_OK ? text->err : sp.base->g->err;
        lw_emitter_destroy(&e);
    }
    plan_destroy(&sp);
    return err;
}

lw_err lw_synapse_emit_file(const lw_model_source *source, lw_text *text) {
    return write_text(source, true, text);
}
lw_err lw_synapse_emit_show(const lw_model_source *source, lw_text *text) {
    return write_text(source, false, text);
}
