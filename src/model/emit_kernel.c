/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Kernel loops. Every body is written once, as an inline function of (args, flat, shared, stride), and specialised by
 * constant arguments: flat: neurons and lanes are one loop (width 1, or coefficients equal for all); shared: all lanes
 * have one linearisation point; stride: 1 coefficient per neuron, 0 one for all.
 */
#include "emit.h"
#include <stdio.h>

static const char *const pad4 = "    ", *const pad8 = "        ", *const pad12 = "            ";

typedef struct kernel {
    lw_emitter *e;
    const lw_body *body;
    const char *real;
} kernel;

static bool needs(const kernel *k, lw_leaf leaf, int index) {
    const lw_plan *plan = k->e->plan;
    if (leaf == LW_LEAF_COEF && k->body->sets_counter && index == plan->refractory_coef) return true;
    if (leaf == LW_LEAF_SPIKE && k->body->sets_counter && !k->body->counts_down) return true;
    if (leaf == LW_LEAF_HELD && k->body->counts_down) return true;
    return lw_emit_needs(k->e, leaf, index);
}

static bool stores(const kernel *k, lw_store_kind kind, int index) {
    for (int i = 0; i < k->body->n_store; i++)
        if (k->body->store[i].kind == kind && k->body->store[i].index == index) return true;
    return false;
}

/* adjoints of coefficients, or their tangents: both are sums over steps and lanes, and no kernel makes both */
static bool stores_coef(const kernel *k, int c) {
    return stores(k, LW_STORE_COEF_ADJ, c) || stores(k, LW_STORE_COEF_ADJ_TAN, c);
}

/* ------------------------------------------------------------------ array pointers */

static void pointer_in(const kernel *k, const char *type, lw_leaf leaf, int index, const char *field, bool indexed) {
    char name[2 * LW_NAME_MAX];
    if (!needs(k, leaf, index)) return;
    lw_emit_leaf_name(k->e, leaf, index, name);
    lw_text_add(k->e->text, "%sconst %s *restrict const %s_arr = args->%s", pad4, type, name, field);
    if (indexed) lw_text_add(k->e->text, "[%d]", index);
    lw_text_add(k->e->text, ";\n");
}

/* an array that is read, written or both */
static void pointer_state(const kernel *k, lw_leaf leaf, lw_store_kind kind, int index, const char *field) {
    char name[2 * LW_NAME_MAX];
    if (!needs(k, leaf, index) && !stores(k, kind, index)) return;
    lw_emit_leaf_name(k->e, leaf, index, name);
    lw_text_add(k->e->text, "%s%s *restrict const %s_arr = args->%s[%d];\n", pad4, k->real, name, field, index);
}

static void emit_pointers(const kernel *k) {
    const lw_plan *plan = k->e->plan;
    const lw_model_source *s = plan->source;
    const bool point = k->body->at_point;
    lw_text *text = k->e->text;
    char name[2 * LW_NAME_MAX];
    for (int c = 0; c < plan->n_coef; c++) {
        pointer_in(k, k->real, LW_LEAF_COEF, c, "coef", true);
        pointer_in(k, "double", LW_LEAF_COEF_TAN, c, "coef_tan", true);
    }
    for (int i = 0; i < s->n_state; i++) {
        if (point) {
            pointer_in(k, k->real, LW_LEAF_OLD, i, "point_old", true);
            pointer_in(k, k->real, LW_LEAF_PRE, i, "point_pre", true);
        } else {
            pointer_state(k, k->body->after_update ? LW_LEAF_PRE : LW_LEAF_OLD, LW_STORE_STATE, i, "state");
        }
        pointer_state(k, LW_LEAF_STATE_TAN, LW_STORE_STATE_TAN, i, "state_tan");
        pointer_state(k, LW_LEAF_STATE_ADJ, LW_STORE_STATE_ADJ, i, "state_adj");
        pointer_state(k, LW_LEAF_STATE_ADJ_TAN, LW_STORE_STATE_ADJ_TAN, i, "state_adj_tan");
    }
    for (int i = 0; i < s->n_input; i++) {
        pointer_in(k, k->real, LW_LEAF_IN, i, point ? "point_in" : "input", true);
        pointer_in(k, k->real, LW_LEAF_IN_TAN, i, "input_tan", true);
        if (stores(k, LW_STORE_INPUT_ADJ, i))
            lw_text_add(
                text, "%s%s *restrict const %s_adj_arr = args->input_adj[%d];\n", pad4, k->real, k->e->input[i], i);
        if (stores(k, LW_STORE_INPUT_ADJ_TAN, i))
            lw_text_add(text, "%s%s *restrict const %s_adj_tan_arr = args->input_adj_tan[%d];\n", pad4, k->real,
                k->e->input[i], i);
    }
    pointer_in(k, k->real, LW_LEAF_SPIKE, 0, point ? "point_spike" : "spike", false);
    pointer_in(k, k->real, LW_LEAF_SLOPE, 0, "point_slope", false);
    pointer_in(k, k->real, LW_LEAF_CURVE, 0, "point_curve", false);
    pointer_in(k, k->real, LW_LEAF_OUT_ADJ, 0, "out_adj", false);
    pointer_in(k, k->real, LW_LEAF_OUT_ADJ_TAN, 0, "out_adj_tan", false);
    if (point) pointer_in(k, "uint8_t", LW_LEAF_HELD, 0, "point_held", false);
    if (needs(k, LW_LEAF_ATTACHED, 0))
        lw_text_add(text, "%sconst %s attached = args->reset_detached ? 0 : 1;\n", pad4, k->real);
    if (k->body->counts_down || k->body->sets_counter)
        lw_text_add(text, "%sint32_t *restrict const refractory_arr = args->refractory;\n", pad4);
    if (stores(k, LW_STORE_OUT, 0)) lw_text_add(text, "%s%s *restrict const out_arr = args->out;\n", pad4, k->real);
    if (stores(k, LW_STORE_MARGIN, 0))
        lw_text_add(text, "%s%s *restrict const margin_arr = args->margin;\n", pad4, k->real);
    if (stores(k, LW_STORE_OUT_TAN, 0))
        lw_text_add(text, "%s%s *restrict const out_tan_arr = args->out_tan;\n", pad4, k->real);
    for (int c = 0; c < plan->n_coef; c++)
        if (stores_coef(k, c)) {
            const char *field = stores(k, LW_STORE_COEF_ADJ, c) ? "coef_adj" : "coef_adj_tan";
            lw_emit_leaf_name(k->e, LW_LEAF_COEF_ADJ, c, name);
            lw_text_add(text, "%sdouble *restrict const %s_arr = args->%s[%d];\n", pad4, name, field, c);
        }
}

/* ------------------------------------------------------------------ loads */

/* Where the lane loop does not change a value, it is loaded before it: gcc would otherwise move the load into one
 * branch of a selection and fail to vectorise. The constant arguments leave one of the two loads. */
typedef struct place {
    const char *before, *condition, *inside; /* index before the loop; when to load again inside, and from where */
} place;

static void load(const kernel *k, const char *type, lw_leaf leaf, int index, const place *where, bool before) {
    char name[2 * LW_NAME_MAX];
    const char *cast = leaf == LW_LEAF_COEF_TAN && k->e->single ? "(float)" : "";
    if (!needs(k, leaf, index) || (before && !where->before)) return;
    lw_emit_leaf_name(k->e, leaf, index, name);
    if (before)
        lw_text_add(k->e->text, "%s%s %s = %s%s_arr[%s];\n", pad8, type, name, cast, name, where->before);
    else if (where->before)
        lw_text_add(
            k->e->text, "%sif (%s) %s = %s%s_arr[%s];\n", pad12, where->condition, name, cast, name, where->inside);
    else
        lw_text_add(k->e->text, "%sconst %s %s = %s_arr[%s];\n", pad12, type, name, name, where->inside);
}

static void emit_loads(const kernel *k, bool before) {
    static const place own = {NULL, NULL, "at"}, coef = {"flat ? 0 : row * stride", "flat && stride", "lane"};
    static const place direction = {"flat ? 0 : row", "flat", "lane"}, at_point = {"shared ? row : 0", "!shared", "at"};
    const lw_plan *plan = k->e->plan;
    const lw_model_source *s = plan->source;
    const place *point = k->body->at_point ? &at_point : &own;
    for (int c = 0; c < plan->n_coef; c++) {
        load(k, k->real, LW_LEAF_COEF, c, &coef, before);
        load(k, k->real, LW_LEAF_COEF_TAN, c, &direction, before);
    }
    for (int i = 0; i < s->n_state; i++) {
        load(k, k->real, LW_LEAF_OLD, i, point, before);
        load(k, k->real, LW_LEAF_PRE, i, point, before);
        load(k, k->real, LW_LEAF_STATE_TAN, i, &own, before);
        load(k, k->real, LW_LEAF_STATE_ADJ, i, &own, before);
        load(k, k->real, LW_LEAF_STATE_ADJ_TAN, i, &own, before);
    }
    for (int i = 0; i < s->n_input; i++) {
        load(k, k->real, LW_LEAF_IN, i, point, before);
        load(k, k->real, LW_LEAF_IN_TAN, i, &own, before);
    }
    load(k, k->real, LW_LEAF_SPIKE, 0, point, before);
    load(k, k->real, LW_LEAF_SLOPE, 0, point, before);
    load(k, k->real, LW_LEAF_CURVE, 0, point, before);
    load(k, k->real, LW_LEAF_OUT_ADJ, 0, &own, before);
    load(k, k->real, LW_LEAF_OUT_ADJ_TAN, 0, &own, before);
    if (k->body->counts_down && !before) {
        lw_text_add(k->e->text, "%sconst int32_t refractory = refractory_arr[at];\n", pad12);
        lw_text_add(k->e->text, "%sconst int held = refractory > 0;\n", pad12);
    } else if (!k->body->counts_down) {
        load(k, "int", LW_LEAF_HELD, 0, point, before);
    }
}

/* ------------------------------------------------------------------ stores */

static void emit_store(const kernel *k, const lw_store *st) {
    lw_emitter *e = k->e;
    lw_text *text = e->text;
    char name[2 * LW_NAME_MAX];
    switch (st->kind) {
    case LW_STORE_STATE:
        lw_emit_leaf_name(e, k->body->after_update ? LW_LEAF_PRE : LW_LEAF_OLD, st->index, name);
        lw_text_add(text, "%s%s_arr[at] = ", pad12, name);
        break;
    case LW_STORE_OUT:
        lw_text_add(text, "%sout_arr[at] = ", pad12);
        break;
    case LW_STORE_MARGIN:
        lw_text_add(text, "%smargin_arr[at] = ", pad12);
        break;
    case LW_STORE_OUT_TAN:
        lw_text_add(text, "%sout_tan_arr[at] = ", pad12);
        break;
    case LW_STORE_STATE_TAN:
        lw_text_add(text, "%s%s_tan_arr[at] = ", pad12, e->state[st->index]);
        break;
    case LW_STORE_STATE_ADJ:
        lw_text_add(text, "%s%s_adj_arr[at] = ", pad12, e->state[st->index]);
        break;
    case LW_STORE_INPUT_ADJ:
        lw_text_add(text, "%s%s_adj_arr[at] = ", pad12, e->input[st->index]);
        break;
    case LW_STORE_STATE_ADJ_TAN:
        lw_text_add(text, "%s%s_adj_tan_arr[at] = ", pad12, e->state[st->index]);
        break;
    case LW_STORE_INPUT_ADJ_TAN:
        lw_text_add(text, "%s%s_adj_tan_arr[at] = ", pad12, e->input[st->index]);
        break;
    case LW_STORE_COEF_ADJ:
    case LW_STORE_COEF_ADJ_TAN:
        lw_text_add(text, "%sconst %s %s_part = ", pad12, k->real, e->coef[st->index]);
        break;
    }
    lw_emit_value(e, st->node);
    lw_text_add(text, ";\n");
    if (st->kind == LW_STORE_COEF_ADJ || st->kind == LW_STORE_COEF_ADJ_TAN) {
        const char *coef = e->coef[st->index];
        lw_text_add(text, "%sif (flat)\n%s    %s_adj_arr[at] += %s_part;\n", pad12, pad12, coef, coef);
        lw_text_add(text, "%selse\n%s    %s_sum += %s_part;\n", pad12, pad12, coef, coef);
    }
}

static void emit_counter(const kernel *k) {
    const lw_plan *plan = k->e->plan;
    lw_text *text = k->e->text;
    const char *half = k->e->single ? "0.5f" : "0.5";
    if (k->body->sets_counter) {
        const char *steps = k->e->coef[plan->refractory_coef];
        const char *spike = k->body->counts_down ? "out_arr[at]" : "s";
        const char *other = k->body->counts_down ? "refractory - held" : "refractory_arr[at]";
        lw_text_add(text, "%srefractory_arr[at] = %s >= %s ? (int32_t)%s : %s;\n", pad12, spike, half, steps, other);
    } else if (k->body->counts_down) {
        lw_text_add(text, "%srefractory_arr[at] = refractory - held;\n", pad12);
    }
}

static void emit_sums(const kernel *k, bool begin) {
    for (int c = 0; c < k->e->plan->n_coef; c++) {
        const char *coef = k->e->coef[c];
        if (!stores_coef(k, c)) continue;
        if (begin)
            lw_text_add(k->e->text, "%sdouble %s_sum = 0;\n", pad8, coef);
        else
            lw_text_add(k->e->text, "%sif (!flat) %s_adj_arr[row] += %s_sum;\n", pad8, coef, coef);
    }
}

void lw_emit_kernel(lw_emitter *e, const lw_body *body) {
    kernel k = {e, body, lw_emitter_real(e)};
    lw_text *text = e->text;
    int32_t root[LW_STORE_MAX];
    for (int i = 0; i < body->n_store; i++)
        root[i] = body->store[i].node;
    lw_emit_begin(e, body->n_store, root);
    lw_text_add(text,
        "LW_KERNEL_INLINE void %s_%s_%s(\n    const lw_kernel_args *args, const int flat, const int shared, "
        "const int64_t stride) {\n",
        e->plan->source->name, body->name, e->single ? "f32" : "f64");
    if (body->n_store == 0 && !body->sets_counter && !body->counts_down) {
        lw_text_add(text, "%s(void)args, (void)flat, (void)shared, (void)stride; /* changes nothing */\n}\n\n", pad4);
        return;
    }
    lw_text_add(text,
        "%sconst int64_t rows = flat ? args->n > 0 : args->n, lanes = flat ? args->n * args->width : args->width;\n",
        pad4);
    emit_pointers(&k);
    lw_text_add(text, "%s(void)shared, (void)stride;\n", pad4);
    if (body->counts_down) {
        lw_text_add(text, "%suint8_t *restrict const held_arr = args->held;\n", pad4);
        lw_text_add(text, "%sif (held_arr) {\n%sLW_KERNEL_LOOP\n", pad4, pad8);
        lw_text_add(text, "%sfor (int64_t k = 0; k < rows * lanes; k++)\n", pad8);
        lw_text_add(text, "%sheld_arr[k] = refractory_arr[k] > 0;\n%s}\n", pad12, pad4);
    }
    lw_text_add(text, "%sfor (int64_t row = 0; row < rows; row++) {\n", pad4);
    emit_sums(&k, true);
    emit_loads(&k, true);
    lw_text_add(text, "%sLW_KERNEL_LOOP\n", pad8);
    lw_text_add(text, "%sfor (int64_t lane = 0; lane < lanes; lane++) {\n", pad8);
    lw_text_add(text, "%sconst int64_t at = flat ? lane : row * lanes + lane;\n", pad12);
    emit_loads(&k, false);
    lw_emit_temporaries(e, pad12);
    for (int i = 0; i < body->n_store; i++)
        emit_store(&k, &body->store[i]);
    emit_counter(&k);
    lw_text_add(text, "%s}\n", pad8);
    emit_sums(&k, false);
    lw_text_add(text, "%s}\n}\n\n", pad4);
}
