/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_stages.c: the sections `train`, `lyapunov`, `prune`, `checkpoint` and `stages`.
 */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *lw_stage_name(lw_stage stage) {
    static const char *const names[] = {"simulate", "train", "evaluate", "lyapunov", "prune"};
    return names[stage];
}

static lw_err optimizer(const yaml_tree_node *map, lw_optimizer_spec *o) {
    static const char *const names[] = {"sgd", "adam", "adamw"};
    static const char *const keys[] = {"lr", "momentum", "nesterov", "beta1", "beta2", "epsilon", "weight_decay",
        "param_scale", "schedule", "gamma", "every", "floor", "warmup", "clip", NULL};
    static const char *const schedules[] = {"constant", "step", "cosine", "exponential", NULL};
    const yaml_tree_node *node = yaml_get(map, "optimizer");
    *o = (lw_optimizer_spec){.kind = LW_OPTIMIZER_ADAM,
        .lr = 1e-3,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .lr_param_scale = 1,
        .schedule_gamma = 0.5,
        .schedule_every = 10};
    if (!node) return LW_OK;
    if (node->kind != YAML_MAP || node->n != 1)
        return yaml_fail(node, "one of sgd, adam, adamw with its settings, as {adam: {lr: 1.0e-3}}");
    const yaml_tree_node *s = node->child[0];
    int kind = -1, schedule = 0;
    for (int k = 0; k < 3; k++)
        if (!strcmp(s->key, names[k])) kind = k;
    if (kind < 0) return yaml_fail(s, "an optimizer: sgd, adam, adamw");
    o->kind = (lw_optimizer_kind)kind;
    if (s->kind == YAML_SCALAR && !*s->text) return LW_OK;
    LW_TRY(yaml_expect_map(s, keys));
    LW_TRY(yaml_real(s, "lr", false, "", 1e-12, 1e3, &o->lr));
    LW_TRY(yaml_real(s, "momentum", false, "", 0, 0.999999, &o->momentum));
    LW_TRY(yaml_bool(s, "nesterov", &o->nesterov));
    LW_TRY(yaml_real(s, "beta1", false, "", 0, 0.999999, &o->beta1));
    LW_TRY(yaml_real(s, "beta2", false, "", 0, 0.9999999, &o->beta2));
    LW_TRY(yaml_real(s, "epsilon", false, "", 1e-30, 1, &o->epsilon));
    LW_TRY(yaml_real(s, "weight_decay", false, "", 0, 1e3, &o->weight_decay));
    LW_TRY(yaml_real(s, "param_scale", false, "", 0, 1e6, &o->lr_param_scale));
    LW_TRY(yaml_choice(s, "schedule", false, schedules, &schedule));
    o->schedule = (lw_schedule_kind)schedule;
    LW_TRY(yaml_real(s, "gamma", false, "", 1e-9, 1, &o->schedule_gamma));
    LW_TRY(yaml_int(s, "every", false, 1, INT32_MAX, &o->schedule_every));
    LW_TRY(yaml_real(s, "floor", false, "", 0, 1, &o->schedule_floor));
    LW_TRY(yaml_int(s, "warmup", false, 0, INT32_MAX, &o->warmup));
    return yaml_real(s, "clip", false, "", 0, 1e12, &o->clip_norm);
}

static lw_err loss(reader *r, const yaml_tree_node *map, lw_loss *l) {
    static const char *const losses[] = {"cross_entropy", "mse", NULL};
    static const char *const from[] = {"per_step", "last", "mean", "sum", "max_over_time", NULL};
    static const char *const readout_keys[] = {"population", "from", NULL}, *const regularize_keys[] = {"rate", NULL};
    static const char *const rate_keys[] = {"lower", "upper", "weight", "populations", NULL};
    int kind = 0, readout = 0;
    const char *pop = NULL;
    LW_TRY(yaml_choice(map, "loss", true, losses, &kind));
    const yaml_tree_node *node = yaml_get(map, "readout");
    if (!node) return yaml_fail(map, "a training section with the key \"readout\"");
    if (node->kind == YAML_SCALAR) {
        LW_TRY(reader_population(r, node, node->text, &l->pop));
    } else {
        LW_TRY(yaml_expect_map(node, readout_keys));
        LW_TRY(yaml_text(node, "population", true, &pop));
        LW_TRY(reader_population(r, yaml_get(node, "population"), pop, &l->pop));
        LW_TRY(yaml_choice(node, "from", false, from, &readout));
    }
    l->kind = (lw_loss_kind)kind;
    l->readout = (lw_readout_kind)readout;
    l->unlabelled = -1;
    int64_t unlabelled = -1;
    LW_TRY(yaml_int(map, "skip", false, 0, INT64_MAX, &l->skip));
    LW_TRY(yaml_int(map, "unlabelled", false, -1, INT32_MAX, &unlabelled));
    l->unlabelled = (int32_t)unlabelled;
    LW_TRY(yaml_real(map, "label_smoothing", false, "", 0, 0.999, &l->label_smoothing));
    const yaml_tree_node *regularize = yaml_get(map, "regularize");
    if (!regularize) return LW_OK;
    LW_TRY(yaml_expect_map(regularize, regularize_keys));
    const yaml_tree_node *rate = yaml_get(regularize, "rate");
    if (!rate) return LW_OK;
    LW_TRY(yaml_expect_map(rate, rate_keys));
    l->rate_upper = INFINITY;
    LW_TRY(yaml_real(rate, "lower", false, "kHz", 0, 1e6, &l->rate_lower));
    LW_TRY(yaml_real(rate, "upper", false, "kHz", 0, 1e6, &l->rate_upper));
    LW_TRY(yaml_real(rate, "weight", true, "", 0, 1e12, &l->rate_weight));
    if (yaml_get(rate, "populations")) {
        const int32_t *pops;
        int n;
        uint8_t *flags = yaml_tree_keep(r->tree, (size_t)r->x->net.n_pop + 8);
        if (!flags) return LW_EMEM;
        LW_TRY(reader_populations(r, yaml_get(rate, "populations"), &pops, &n));
        for (int i = 0; i < n; i++)
            flags[pops[i]] = 1;
        l->rate_pop = flags;
    }
    return LW_OK;
}

static lw_err train(reader *r) {
    static const char *const keys[] = {"input", "readout", "loss", "optimizer", "batch", "epochs", "surrogate", "reset",
        "regularize", "validation", "patience", "skip", "unlabelled", "label_smoothing", "precision", "replicas",
        "initialize", "seed", NULL};
    static const char *const input_keys[] = {"population", "port", NULL}, *const precisions[] = {
                                                                              "float", "double", NULL};
    const yaml_tree_node *map = yaml_get(r->root, "train");
    lw_train_spec *t = &r->x->train;
    if (!map) return LW_OK;
    r->x->has_train = true;
    LW_TRY(yaml_expect_map(map, keys));
    const yaml_tree_node *input = yaml_get(map, "input");
    if (!input) return yaml_fail(map, "a training section with the key \"input\"");
    const char *pop = input->text;
    if (input->kind == YAML_MAP) {
        LW_TRY(yaml_expect_map(input, input_keys));
        LW_TRY(yaml_text(input, "population", true, &pop));
    } else if (input->kind != YAML_SCALAR) {
        return yaml_fail(input, "the name of a population");
    }
    LW_TRY(reader_population(r, input, pop, &t->input_pop));
    LW_TRY(reader_port(r, input->kind == YAML_MAP ? input : map, t->input_pop, &t->input_port));
    LW_TRY(loss(r, map, &t->loss));
    LW_TRY(optimizer(map, &t->optimizer));
    int64_t batch = 32, replicas = 1, seed = (int64_t)r->x->net.seed;
    int precision = 0;
    t->epochs = 10;
    LW_TRY(yaml_int(map, "batch", false, 1, 1 << 20, &batch));
    LW_TRY(yaml_int(map, "epochs", false, 0, INT32_MAX, &t->epochs));
    LW_TRY(yaml_real(map, "validation", false, "", 0, 0.9, &t->validation));
    LW_TRY(yaml_int(map, "patience", false, 0, INT32_MAX, &t->patience));
    LW_TRY(yaml_choice(map, "precision", false, precisions, &precision));
    const yaml_tree_node *rep = yaml_get(map, "replicas");
    if (rep && rep->kind == YAML_SCALAR && !strcmp(rep->text, "all"))
        replicas = 0;
    else
        LW_TRY(yaml_int(map, "replicas", false, 1, INT32_MAX, &replicas));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    t->batch = (int32_t)batch;
    t->precision = precision ? LW_F64 : LW_F32;
    t->seed = (uint64_t)seed;
    t->surrogate = (lw_surrogate){LW_SURROGATE_SUPERSPIKE, 10, 1};
    t->reset_detached = true;
    r->x->replicas = (int32_t)replicas;
    LW_TRY(reader_surrogate(map, "surrogate", &t->surrogate));
    LW_TRY(experiment_initialize(r, map));
    return reader_reset(map, &t->reset_detached);
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
    LW_TRY(train(r));
    LW_TRY(lyapunov(r));
    LW_TRY(prune(r));
    return stages(r);
}
