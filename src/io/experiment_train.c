/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_train.c: the section `train`: what is minimised and how. Its key `initialize` has a file of its own.
 */
#include "experiment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lw_err optimizer(const yaml_tree_node *map, lw_optimizer_spec *o) {
    static const char *const names[] = {"sgd", "adam", "adamw", "rmsprop"};
    static const char *const keys[] = {"lr", "momentum", "nesterov", "beta1", "beta2", "epsilon", "weight_decay",
        "param_scale", "schedule", "gamma", "every", "floor", "threshold", "warmup", "clip", "clip_value", "centred",
        "l1", NULL};
    static const char *const schedules[] = {"constant", "step", "cosine", "exponential", "plateau", NULL};
    const yaml_tree_node *node = yaml_get(map, "optimizer");
    *o = lw_optimizer_spec_default();
    if (!node) return LW_OK;
    if (node->kind != YAML_MAP || node->n != 1)
        return yaml_fail(node, "one of sgd, adam, adamw, rmsprop with its settings, as {adam: {lr: 1.0e-3}}");
    const yaml_tree_node *s = node->child[0];
    int kind = -1, schedule = 0;
    for (int k = 0; k < 4; k++)
        if (!strcmp(s->key, names[k])) kind = k;
    if (kind < 0) return yaml_fail(s, "an optimizer: sgd, adam, adamw, rmsprop");
    o->kind = (lw_optimizer_kind)kind;
    if (o->kind == LW_OPTIMIZER_RMSPROP) o->beta2 = 0.99;
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
    LW_TRY(yaml_real(s, "threshold", false, "", 0, 0.999999, &o->schedule_threshold));
    LW_TRY(yaml_int(s, "warmup", false, 0, INT32_MAX, &o->warmup));
    LW_TRY(yaml_real(s, "l1", false, "", 0, 1e6, &o->weight_l1));
    LW_TRY(yaml_real(s, "clip_value", false, "", 0, 1e12, &o->clip_value));
    LW_TRY(yaml_bool(s, "centred", &o->centred));
    return yaml_real(s, "clip", false, "", 0, 1e12, &o->clip_norm);
}

/* What is learned otherwise than the optimizer says. */
static lw_err groups(reader *r, const yaml_tree_node *map, lw_optimizer_spec *o) {
    static const char *const keys[] = {"match", "lr", "weight_decay", "freeze", NULL};
    const yaml_tree_node *list = yaml_get(map, "groups");
    if (!list) return LW_OK;
    if (list->kind != YAML_LIST || list->n == 0)
        return yaml_fail(list, "a list such as [{match: \"in_*\", lr: 0.1}, {match: rec.tau_mem, freeze: true}]");
    lw_optimizer_group *group = yaml_tree_keep(r->tree, (size_t)list->n * sizeof *group);
    if (!group) return LW_EMEM;
    for (int i = 0; i < list->n; i++) {
        const yaml_tree_node *node = list->child[i];
        group[i] = (lw_optimizer_group){.lr = 1, .weight_decay = NAN};
        LW_TRY(yaml_expect_map(node, keys));
        LW_TRY(yaml_text(node, "match", true, &group[i].match));
        LW_TRY(yaml_real(node, "lr", false, "", 0, 1e6, &group[i].lr));
        LW_TRY(yaml_real(node, "weight_decay", false, "", 0, 1e3, &group[i].weight_decay));
        LW_TRY(yaml_bool(node, "freeze", &group[i].freeze));
    }
    o->group = group;
    o->n_groups = list->n;
    return LW_OK;
}

static lw_err penalised(reader *r, const yaml_tree_node *map, const uint8_t **out) {
    const int32_t *pops;
    int n;
    if (!yaml_get(map, "populations")) return LW_OK;
    uint8_t *flags = yaml_tree_keep(r->tree, (size_t)r->x->net.n_pop + 8);
    if (!flags) return LW_EMEM;
    LW_TRY(reader_populations(r, yaml_get(map, "populations"), &pops, &n));
    for (int i = 0; i < n; i++)
        flags[pops[i]] = 1;
    *out = flags;
    return LW_OK;
}

/* The state variable of a voltage regulariser: bounds are in its unit, which populations that share it must agree on.
 */
static lw_err penalised_state(reader *r, const yaml_tree_node *map, lw_penalty *p, const char **unit) {
    const yaml_tree_node *pops = yaml_get(map, "populations");
    bool found = false;
    LW_TRY(yaml_text(map, "state", true, &p->state));
    if (!pops) return yaml_fail(map, "a regulariser of a state with the key \"populations\"");
    for (int32_t q = 0; q < r->x->net.n_pop; q++) {
        const lw_model *model = r->x->net.pop[q].model;
        int32_t at = -1;
        if (!p->pop[q]) continue;
        for (int32_t i = 0; i < model->n_state; i++)
            if (!strcmp(model->state[i].name, p->state)) at = i;
        if (at < 0) return yaml_fail(yaml_get(map, "state"), "a state variable of every population named");
        if (found && strcmp(*unit, model->state[at].unit) != 0)
            return yaml_fail(pops, "populations whose states of this name have one unit");
        *unit = model->state[at].unit;
        found = true;
    }
    return LW_OK;
}

static lw_err penalty(reader *r, const yaml_tree_node *node, lw_penalty *p) {
    static const char *const names[] = {"rate", "population_rate", "spikes_l1", "spikes_l2", "voltage"};
    static const char *const band[] = {"lower", "upper", "weight", "populations", NULL};
    static const char *const counts[] = {"above", "weight", "populations", NULL};
    static const char *const volts[] = {"state", "lower", "upper", "weight", "populations", NULL};
    static const lw_penalty_kind kinds[] = {
        LW_PENALTY_RATE, LW_PENALTY_POPULATION_RATE, LW_PENALTY_COUNT, LW_PENALTY_COUNT, LW_PENALTY_STATE};
    int k = 0;
    while (k < 5 && strcmp(node->key, names[k]) != 0)
        k++;
    if (k == 5) return yaml_fail(node, "one of rate, population_rate, spikes_l1, spikes_l2, voltage");
    *p = (lw_penalty){.kind = kinds[k], .power = k == 2 ? 1 : 2, .upper = INFINITY};
    LW_TRY(yaml_expect_map(node, k < 2 ? band : k < 4 ? counts : volts));
    LW_TRY(yaml_real(node, "weight", true, "", 0, 1e12, &p->weight));
    LW_TRY(penalised(r, node, &p->pop));
    if (p->kind == LW_PENALTY_COUNT) {
        p->upper = 0;
        return yaml_real(node, "above", false, "", 0, 1e12, &p->upper);
    }
    const char *unit = "kHz";
    if (p->kind == LW_PENALTY_STATE) {
        p->lower = -INFINITY;
        LW_TRY(penalised_state(r, node, p, &unit));
    }
    double least = p->kind == LW_PENALTY_STATE ? -1e6 : 0;
    LW_TRY(yaml_real(node, "lower", false, unit, least, 1e6, &p->lower));
    LW_TRY(yaml_real(node, "upper", false, unit, least, 1e6, &p->upper));
    return p->lower <= p->upper ? LW_OK : yaml_fail(yaml_get(node, "lower"), "a lower bound below the upper one");
}

/* The regularisers of a map, or of a list of maps. */
static lw_err penalties(reader *r, const yaml_tree_node *regularize, lw_loss *l) {
    bool list = regularize->kind == YAML_LIST;
    int room = 0, n_maps = list ? regularize->n : 1;
    if (!list && regularize->kind != YAML_MAP)
        return yaml_fail(regularize, "regularisers, as {rate: {upper: 20 Hz, weight: 1}}");
    for (int i = 0; i < n_maps; i++) {
        const yaml_tree_node *map = list ? regularize->child[i] : regularize;
        if (map->kind != YAML_MAP) return yaml_fail(map, "a regulariser, as {rate: {upper: 20 Hz, weight: 1}}");
        room += map->n;
    }
    lw_penalty *p = yaml_tree_keep(r->tree, (size_t)(room + 1) * sizeof *p);
    if (!p) return LW_EMEM;
    for (int i = 0; i < n_maps; i++) {
        const yaml_tree_node *map = list ? regularize->child[i] : regularize;
        for (int k = 0; k < map->n; k++)
            LW_TRY(penalty(r, map->child[k], &p[l->n_penalties++]));
    }
    l->penalty = p;
    return LW_OK;
}

static lw_err loss(reader *r, const yaml_tree_node *map, lw_loss *l) {
    static const char *const losses[] = {"cross_entropy", "mse", "van_rossum", NULL};
    static const char *const from[] = {"per_step", "last", "mean", "sum", "max_over_time", "first_spike", "vote", NULL};
    static const char *const target_keys[] = {"right", "wrong", NULL};
    static const char *const readout_keys[] = {"population", "from", NULL};
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
    LW_TRY(yaml_int(map, "every", false, 1, INT32_MAX, &l->every));
    bool first = l->readout == LW_READOUT_FIRST_SPIKE, times = first || l->kind == LW_LOSS_VAN_ROSSUM;
    const yaml_tree_node *tau = yaml_get(map, "tau"), *silent = yaml_get(map, "silent");
    if (tau && !times) return yaml_fail(tau, "no tau here: it belongs to readout first_spike and to loss van_rossum");
    if (silent && !first) return yaml_fail(silent, "no time of silent neurons here: it belongs to readout first_spike");
    LW_TRY(yaml_real(map, "tau", times, "ms", 1e-6, 1e9, &l->tau));
    LW_TRY(yaml_real(map, "silent", false, "ms", 0, 1e9, &l->silent));
    const yaml_tree_node *targets = yaml_get(map, "targets");
    if (targets) {
        const char *unit = first ? "ms" : "";
        if (l->kind != LW_LOSS_MSE) return yaml_fail(targets, "no targets here: they belong to loss mse");
        LW_TRY(yaml_expect_map(targets, target_keys));
        LW_TRY(yaml_real(targets, "right", true, unit, -1e9, 1e9, &l->target_right));
        LW_TRY(yaml_real(targets, "wrong", true, unit, -1e9, 1e9, &l->target_wrong));
        l->has_target = true;
    }
    const yaml_tree_node *regularize = yaml_get(map, "regularize");
    return regularize ? penalties(r, regularize, l) : LW_OK;
}

lw_err reader_bytes(const yaml_tree_node *map, const char *key, int64_t *bytes) {
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};
    const yaml_tree_node *node = yaml_get(map, key);
    if (!node) return LW_OK;
    if (node->kind == YAML_SCALAR) {
        char *end = NULL;
        double number = strtod(node->text, &end);
        end += strspn(end, " ");
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            if (strcmp(end, units[i].unit) != 0 || !(number > 0 && number * units[i].bytes < 1e18)) continue;
            *bytes = (int64_t)(number * units[i].bytes);
            return LW_OK;
        }
    }
    return yaml_fail(node, "a positive number with kB, MB, GB or TB");
}

/* Samples per piece of a batch: false, true (the largest divisor of the batch up to 8), or a number. */
static lw_err reproducible(const yaml_tree_node *map, int64_t batch, int32_t *lanes) {
    const yaml_tree_node *node = yaml_get(map, "reproducible");
    int64_t number = 0;
    bool on = false;
    if (!node) return LW_OK;
    if (node->kind == YAML_SCALAR && node->text[0] >= '0' && node->text[0] <= '9') {
        LW_TRY(yaml_int(map, "reproducible", false, 1, 1 << 20, &number));
        if (batch % number != 0) return yaml_fail(node, "a divisor of the batch, true or false");
    } else {
        LW_TRY(yaml_bool(map, "reproducible", &on));
        for (number = on ? 8 : 0; number > 0 && batch % number != 0;)
            number--;
    }
    *lanes = (int32_t)number;
    return LW_OK;
}

/* What is measured differs from run to run, and with it the bits of weights. */
static lw_err crossover(reader *r, const yaml_tree_node *map) {
    static const char *const kinds[] = {"fixed", "measured", NULL};
    int kind = 0;
    r->x->train.crossover = lw_crossover_default();
    LW_TRY(yaml_choice(map, "crossover", false, kinds, &kind));
    r->x->crossover_measured = kind == 1;
    if (kind == 1 && r->x->train.lanes > 0) return yaml_fail(yaml_get(map, "crossover"), "fixed, with reproducible");
    return LW_OK;
}

/* By number of projection, which is that of the network. */
static lw_err dropout(reader *r, lw_train_spec *t) {
    double *p = yaml_tree_keep(r->tree, (size_t)r->x->net.n_proj * sizeof *p + 8);
    if (!p) return LW_EMEM;
    t->dropout = p;
    t->n_dropout = 0;
    for (int k = 0; k < r->x->net.n_proj; k++) {
        p[k] = r->x->net.proj[k].dropout;
        if (p[k] > 0) t->n_dropout = k + 1;
    }
    return LW_OK;
}

lw_err experiment_train(reader *r) {
    static const char *const keys[] = {"input", "readout", "loss", "optimizer", "batch", "epochs", "surrogate", "reset",
        "regularize", "validation", "patience", "skip", "unlabelled", "label_smoothing", "every", "tau", "silent",
        "targets", "precision", "replicas", "reproducible", "groups", "gradient", "burn_in", "truncate", "memory",
        "initialize", "seed", "prefetch", "crossover", NULL};
    static const char *const input_keys[] = {"population", "port", NULL}, *const precisions[] = {
                                                                              "float", "double", "mixed", NULL};
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
    LW_TRY(groups(r, map, &t->optimizer));
    LW_TRY(experiment_learning(map, t));
    LW_TRY(dropout(r, t));
    int64_t batch = 32, replicas = 1, seed = (int64_t)r->x->net.seed;
    int precision = 0;
    t->epochs = 10;
    LW_TRY(yaml_int(map, "batch", false, 1, 1 << 20, &batch));
    LW_TRY(yaml_int(map, "epochs", false, 0, INT32_MAX, &t->epochs));
    LW_TRY(yaml_real(map, "validation", false, "", 0, 0.9, &t->validation));
    LW_TRY(yaml_bool(map, "prefetch", &t->prefetch));
    LW_TRY(yaml_int(map, "patience", false, 0, INT32_MAX, &t->patience));
    LW_TRY(yaml_choice(map, "precision", false, precisions, &precision));
    const yaml_tree_node *rep = yaml_get(map, "replicas");
    if (rep && rep->kind == YAML_SCALAR && !strcmp(rep->text, "all"))
        replicas = 0;
    else
        LW_TRY(yaml_int(map, "replicas", false, 1, INT32_MAX, &replicas));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    LW_TRY(reproducible(map, batch, &t->lanes));
    LW_TRY(crossover(r, map));
    LW_TRY(reader_bytes(map, "memory", &t->memory));
    t->batch = (int32_t)batch;
    t->threads = r->x->net.threads;
    t->precision = precision == 1 ? LW_F64 : LW_F32;
    t->mixed = precision == 2;
    t->seed = (uint64_t)seed;
    t->surrogate = (lw_surrogate){LW_SURROGATE_SUPERSPIKE, 10, 1};
    t->reset_detached = true;
    r->x->replicas = (int32_t)replicas;
    LW_TRY(reader_surrogate(map, "surrogate", &t->surrogate));
    LW_TRY(experiment_initialize(r, map));
    return reader_reset(map, &t->reset_detached);
}
