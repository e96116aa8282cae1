/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The plan of a model for people: coefficients, what each kernel computes, and which arrays the derivatives read.
 */
#include "emit.h"

static void show_target(lw_emitter *e, const lw_store *st) {
    const lw_model_source *s = e->plan->source;
    switch (st->kind) {
    case LW_STORE_STATE:
        lw_text_add(e->text, "  %s := ", s->state[st->index].name);
        return;
    case LW_STORE_OUT:
        lw_text_add(e->text, "  out := ");
        return;
    case LW_STORE_MARGIN:
        lw_text_add(e->text, "  margin := ");
        return;
    case LW_STORE_STATE_TAN:
        lw_text_add(e->text, "  %s_tan := ", s->state[st->index].name);
        return;
    case LW_STORE_OUT_TAN:
        lw_text_add(e->text, "  out_tan := ");
        return;
    case LW_STORE_STATE_ADJ:
        lw_text_add(e->text, "  %s_adj := ", s->state[st->index].name);
        return;
    case LW_STORE_INPUT_ADJ:
        lw_text_add(e->text, "  %s_adj := ", s->input[st->index].name);
        return;
    case LW_STORE_COEF_ADJ:
        lw_text_add(e->text, "  %s_adj += ", e->coef[st->index]);
        return;
    case LW_STORE_STATE_ADJ_TAN:
        lw_text_add(e->text, "  %s_adj_tan := ", s->state[st->index].name);
        return;
    case LW_STORE_INPUT_ADJ_TAN:
        lw_text_add(e->text, "  %s_adj_tan := ", s->input[st->index].name);
        return;
    case LW_STORE_COEF_ADJ_TAN:
        lw_text_add(e->text, "  %s_adj_tan += ", e->coef[st->index]);
        return;
    }
}

static void show_body(lw_emitter *e, const lw_body *body, const char *about) {
    int32_t root[LW_STORE_MAX];
    for (int i = 0; i < body->n_store; i++)
        root[i] = body->store[i].node;
    lw_emit_begin(e, body->n_store, root);
    lw_text_add(e->text, "%s: %s\n", body->name, about);
    lw_emit_temporaries(e, "  ");
    for (int i = 0; i < body->n_store; i++) {
        show_target(e, &body->store[i]);
        lw_emit_value(e, body->store[i].node);
        lw_text_add(e->text, "\n");
    }
    if (body->counts_down) lw_text_add(e->text, "  refractory := max(refractory - 1, 0)\n");
    if (body->sets_counter)
        lw_text_add(e->text, "  refractory := %s where s >= 1/2\n", e->coef[e->plan->refractory_coef]);
    lw_text_add(e->text, "\n");
}

static void show_mask(lw_text *text, const char *what, uint32_t mask, const lw_decl *list, int n) {
    lw_text_add(text, "  %s:", what);
    for (int i = 0; i < n; i++)
        if (mask & (1u << i)) lw_text_add(text, " %s", list[i].name);
    lw_text_add(text, "%s\n", mask ? "" : " none");
}

lw_err lw_emit_show(lw_text *text, const lw_plan *plan) {
    const lw_model_source *s = plan->source;
    lw_emitter *e;
    LW_TRY(lw_emitter_create(text, plan, &e));
    lw_source_print(text, s);
    lw_text_add(text, "\ncoefficients: derived from the parameters in double precision\n");
    lw_emit_begin(e, plan->n_coef, plan->coef);
    lw_emit_temporaries(e, "  ");
    for (int c = 0; c < plan->n_coef; c++) {
        lw_text_add(text, "  %s := ", e->coef[c]);
        lw_emit_value(e, plan->coef[c]);
        lw_text_add(text, "\n");
    }
    lw_text_add(text, "\n");
    show_body(e, &plan->update, "one step; right-hand sides hold the values before it");
    show_body(e, &plan->fire, plan->margin >= 0 ? "after s is known" : "what is handed on");
    show_body(e, &plan->update_tan[0], "tangent of update");
    show_body(e, &plan->fire_tan[0], "tangent of fire");
    show_body(e, &plan->fire_adj[1], "adjoint of fire, with parameter gradients");
    show_body(e, &plan->update_adj[1], "adjoint of update, with parameter gradients");
    show_body(e, &plan->fire_adj_tan, "tangent of the adjoint of fire; curve is S''(u)");
    show_body(e, &plan->update_adj_tan, "tangent of the adjoint of update");
    for (int c = 0; c < 2; c++) {
        lw_text_add(text, "derivatives %s parameter directions read\n", c ? "with" : "without");
        show_mask(text, "state before update", plan->need[c][0], s->state, s->n_state);
        show_mask(text, "input", plan->need[c][1], s->input, s->n_input);
        show_mask(text, "state before fire", plan->need[c][2], s->state, s->n_state);
    }
    const uint32_t *const second[] = {plan->need_second, plan->need_tan};
    for (int c = 0; c < 2; c++) {
        lw_text_add(text, "second derivatives read%s\n", c ? " the tangents of" : "");
        show_mask(text, "state before update", second[c][0], s->state, s->n_state);
        show_mask(text, "input", second[c][1], s->input, s->n_input);
        show_mask(text, "state before fire", second[c][2], s->state, s->n_state);
    }
    lw_emitter_destroy(&e);
    return text->err;
}
