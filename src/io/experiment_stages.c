/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_stages.c: the sections `lyapunov`, `prune`, `checkpoint` and `stages`.
 */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *lw_stage_name(lw_stage stage) {
    static const char *const names[] = {"simulate", "train", "evaluate", "lyapunov", "prune"};
    return names[stage];
}

static lw_err lyapunov(reader *r) {
    static const char *const keys[] = {"exponents", "steps", "transient", "warmup", "orthonormalize_every", "blocks",
        "qr", "surrogate", "reset", "profile", "seed", NULL};
    static const char *const qrs[] = {"auto", "scalapack", "cholesky2", NULL};
    const yaml_tree_node *map = yaml_get(r->root, "lyapunov");
    lw_experiment *x = r->x;
    x->lyapunov = lw_lyapunov_spec_default();
    x->lyapunov.seed = x->net.seed;
    x->lyapunov_surrogate = (lw_surrogate){LW_SURROGATE_SUPERSPIKE, 10, 1};
    x->lyapunov_reset_detached = true;
    if (!map) return LW_OK;
    int qr = 0;
    int64_t blocks = 20, seed = (int64_t)x->net.seed;
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(yaml_int(map, "exponents", false, 0, INT64_MAX, &x->lyapunov.k));
    LW_TRY(yaml_int(map, "steps", false, 1, INT64_MAX, &x->lyapunov.steps));
    LW_TRY(yaml_int(map, "transient", false, 0, INT64_MAX, &x->lyapunov.transient));
    LW_TRY(yaml_int(map, "warmup", false, 0, INT64_MAX, &x->lyapunov.warmup));
    LW_TRY(yaml_int(map, "orthonormalize_every", false, 0, INT32_MAX, &x->lyapunov.every));
    LW_TRY(yaml_int(map, "blocks", false, 2, 10000, &blocks));
    LW_TRY(yaml_choice(map, "qr", false, qrs, &qr));
    LW_TRY(yaml_bool(map, "profile", &x->lyapunov.profile));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    x->lyapunov.blocks = (int32_t)blocks;
    x->lyapunov.qr = (lw_qr_kind)qr;
    x->lyapunov.seed = (uint64_t)seed;
    LW_TRY(reader_surrogate(map, "surrogate", &x->lyapunov_surrogate));
    return reader_reset(map, &x->lyapunov_reset_detached);
}

static lw_err amount(const yaml_tree_node *map, const char *key, double *out) {
    LW_TRY(yaml_real(map, key, true, "", 0, 1e15, out));
    if (!(*out > 0) || (*out > 1 && *out != floor(*out)))
        return yaml_fail(yaml_get(map, key), "a fraction to keep in (0, 1], or a whole number to keep");
    return LW_OK;
}

static lw_err prune(reader *r) {
    static const char *const keys[] = {"method", "population", "neurons", "synapses", "iterations", "exponents",
        "steps", "transient", "mode", "pair", "diagonal", "attribution", "rescale", "rescale_quantile", "delocalise",
        "activity_steps", "seed", NULL};
    static const char *const modes[] = {"weighted", "literal", "mc", NULL}, *const pairs[] = {"union", "pair", NULL};
    static const char *const diagonals[] = {"dominant", "leak", NULL}, *const attributions[] = {
                                                                           "local", "leak", "index", NULL};
    static const char *const rescales[] = {"none", "cap", "full", NULL};
    const yaml_tree_node *map = yaml_get(r->root, "prune");
    lw_experiment *x = r->x;
    x->prune = lw_prune_spec_default();
    x->prune.seed = x->net.seed;
    x->prune.pop = -1;
    for (int p = 0; p < x->net.n_proj; p++) /* default: the first population with a recurrent projection */
        if (x->net.proj[p].pre == x->net.proj[p].post && x->prune.pop < 0) x->prune.pop = x->net.proj[p].pre;
    x->prune_neurons = 0.5;
    x->prune_synapses = 0.2;
    if (!map) return LW_OK;
    const char *method = "lnp", *pop = NULL;
    int mode = (int)x->prune.mode, pair = (int)x->prune.pair, diagonal = (int)x->prune.diagonal,
        attribution = (int)x->prune.attribution;
    int rescale = (int)x->prune.rescale;
    int64_t iterations = x->prune.iterations, seed = (int64_t)x->net.seed;
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(yaml_text(map, "method", false, &method));
    if (lw_prune_method_parse(method, &x->prune.method) != LW_OK) {
        lw_err_clear();
        return yaml_fail(yaml_get(map, "method"), "lnp, noise, activity, magnitude, random");
    }
    LW_TRY(yaml_text(map, "population", false, &pop));
    if (pop) LW_TRY(reader_population(r, yaml_get(map, "population"), pop, &x->prune.pop));
    if (x->prune.pop < 0)
        return yaml_fail(map, "pruning only in a network with a recurrent projection (from a population to itself)");
    LW_TRY(amount(map, "neurons", &x->prune_neurons));
    LW_TRY(amount(map, "synapses", &x->prune_synapses));
    LW_TRY(yaml_int(map, "iterations", false, 1, 100, &iterations));
    LW_TRY(yaml_int(map, "exponents", false, 0, INT64_MAX, &x->prune.exponents));
    LW_TRY(yaml_int(map, "steps", false, 1, INT64_MAX, &x->prune.lyapunov_steps));
    LW_TRY(yaml_int(map, "transient", false, 0, INT64_MAX, &x->prune.lyapunov_transient));
    LW_TRY(yaml_choice(map, "mode", false, modes, &mode));
    LW_TRY(yaml_choice(map, "pair", false, pairs, &pair));
    LW_TRY(yaml_choice(map, "diagonal", false, diagonals, &diagonal));
    LW_TRY(yaml_choice(map, "attribution", false, attributions, &attribution));
    LW_TRY(yaml_choice(map, "rescale", false, rescales, &rescale));
    LW_TRY(yaml_real(map, "rescale_quantile", false, "", 0, 1, &x->prune.rescale_quantile));
    LW_TRY(yaml_real(map, "delocalise", false, "", 0, 1, &x->prune.delocalise_budget));
    LW_TRY(yaml_int(map, "activity_steps", false, 1, INT64_MAX, &x->prune.activity_steps));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    x->prune.iterations = (int32_t)iterations;
    x->prune.mode = (lw_prune_mode)mode;
    x->prune.pair = (lw_prune_pair)pair;
    x->prune.diagonal = (lw_prune_diagonal)diagonal;
    x->prune.attribution = (lw_prune_exponents)attribution;
    x->prune.rescale = (lw_prune_rescale)rescale;
    x->prune.seed = (uint64_t)seed;
    return LW_OK;
}

static lw_err stages(reader *r) {
    static const char *const checkpoint_keys[] = {"every", "keep", "at_end", NULL};
    lw_experiment *x = r->x;
    const yaml_tree_node *map = yaml_get(r->root, "checkpoint"), *list = yaml_get(r->root, "stages");
    int64_t keep = 3;
    x->checkpoint_at_end = true;
    if (map) {
        double ms = 0;
        LW_TRY(yaml_expect_map(map, checkpoint_keys));
        LW_TRY(yaml_real(map, "every", false, "ms", 0, 1e12, &ms));
        LW_TRY(yaml_int(map, "keep", false, 1, 1000, &keep));
        LW_TRY(yaml_bool(map, "at_end", &x->checkpoint_at_end));
        x->checkpoint_every = ms / 1000;
    }
    x->checkpoint_keep = (int32_t)keep;
    int n = list ? list->n : 0;
    if (list) LW_TRY(yaml_expect_list(list));
    lw_stage *stage = yaml_tree_keep(r->tree, (size_t)n * sizeof *stage + 8);
    if (!stage) return LW_EMEM;
    for (int i = 0; i < n; i++) {
        const yaml_tree_node *node = list->child[i];
        int found = -1;
        for (int s = LW_STAGE_SIMULATE; s <= LW_STAGE_PRUNE; s++)
            if (node->kind == YAML_SCALAR && !strcmp(node->text, lw_stage_name((lw_stage)s))) found = s;
        if (found < 0) return yaml_fail(node, "simulate, train, evaluate, lyapunov, prune");
        stage[i] = (lw_stage)found;
        if ((found == LW_STAGE_TRAIN || found == LW_STAGE_EVALUATE) && !x->has_train)
            return yaml_fail(node, "this stage only with a section \"train\"");
        if (found == LW_STAGE_TRAIN && !x->train_data.present)
            return yaml_fail(node, "this stage only with data.train");
        if (found == LW_STAGE_EVALUATE && !x->test_data.present)
            return yaml_fail(node, "this stage only with data.test");
        if (found == LW_STAGE_PRUNE && x->prune.pop < 0)
            return yaml_fail(node, "this stage only with a recurrent projection");
        if (found == LW_STAGE_SIMULATE && x->steps < 1)
            return yaml_fail(node, "this stage only with time.duration of at least one dt");
    }
    x->stage = stage;
    x->n_stages = n;
    return LW_OK;
}

lw_err experiment_stages(reader *r) {
    LW_TRY(experiment_train(r));
    LW_TRY(lyapunov(r));
    LW_TRY(prune(r));
    return stages(r);
}
