/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reference systems as networks: single units (maps, flows), the tanh network and the LIF network of the golden
 * files.
 */
#ifndef LAPWING_TEST_LYAP_SYSTEMS_H
#define LAPWING_TEST_LYAP_SYSTEMS_H

#include <lapwing/lyap.h>
#include "check.h"
#include "reference.h"

enum { N_NET = 100, SEED_LIF = 201, SEED_TANH = 101 };

static inline lw_comm *world(void) {
    static lw_comm *comm;
    if (!comm && lw_comm_start(NULL, NULL, &comm) != LW_OK) abort();
    return comm;
}

/** A network with its engine; what lw_net_create borrowed is copied by it. */
typedef struct system_ {
    lw_net *net;
    lw_sim *sim;
    float *feed; /* [steps][N_NET] */
} system_;

static inline void system_free(system_ *s) {
    lw_sim_destroy(&s->sim);
    lw_net_destroy(&s->net);
    lw_free(s->feed);
}

static inline lw_sim_options options_of(double slope, bool detached) {
    lw_sim_options o = lw_sim_options_default();
    o.surrogate.slope = slope;
    o.reset_detached = detached;
    return o;
}

/** `size` units without synapses. */
static inline system_ system_units(const lw_comm *comm, const lw_model *model, int64_t size, double dt) {
    lw_population_spec pop = {.name = "unit", .model = model, .size = size};
    lw_net_spec spec = {.seed = 1, .dt = dt, .n_pop = 1, .pop = &pop, .weight_type = LW_F64};
    lw_sim_options o = lw_sim_options_default();
    system_ s = {0};
    CHECK_OK(lw_net_create(comm, &spec, &s.net));
    CHECK_OK(lw_sim_create(s.net, &o, &s.sim));
    return s;
}

/** One population of N_NET units and given synapses of delays 1 to `delays` onto port 0; this rank gives the rows i =
 * rank, rank + size, ... */
static inline system_ system_net(const lw_comm *comm, const lw_model *model, const lw_dist *param, const lw_dist *init,
    const uint8_t *has_init, double (*weight)(int64_t i, int64_t j), lw_partition partition, lw_sim_options options,
    int delays) {
    int64_t n = 0;
    lw_edge *edge = NULL;
    system_ s = {0};
    CHECK_OK(lw_alloc((size_t)(N_NET * N_NET), sizeof *edge, "edges", &edge));
    for (int64_t i = lw_comm_rank(comm); i < N_NET; i += lw_comm_size(comm))
        for (int64_t j = 0; j < N_NET; j++)
            if (weight(i, j) != 0)
                edge[n++] = (lw_edge){
                    .target = i, .source = j, .weight = weight(i, j), .delay = 1 + (int32_t)((i + j) % delays)};
    lw_population_spec pop = {
        .name = "net", .model = model, .size = N_NET, .param = param, .init = init, .has_init = has_init};
    lw_projection_spec proj = {.rule = LW_RULE_EDGES, .edges = edge, .n_edges = n, .autapses = true};
    lw_net_spec spec = {.seed = 1,
        .dt = 1,
        .n_pop = 1,
        .n_proj = 1,
        .pop = &pop,
        .proj = &proj,
        .partition = partition,
        .weight_type = LW_F64};
    CHECK_OK(lw_net_create(comm, &spec, &s.net));
    CHECK_OK(lw_sim_create(s.net, &options, &s.sim));
    lw_free(edge);
    return s;
}

/* ------------------------------------------------------------------ tanh network: h' = J tanh(h) */

static inline double tanh_weight(int64_t i, int64_t j) {
    return i == j ? 0 : ref_quant(3.0 / sqrt(N_NET) * ref_normal(SEED_TANH, REF_WEIGHT, (uint64_t)i, (uint64_t)j), 24);
}
/** The state is h(0) at the cut. */
static inline system_ system_tanh(const lw_comm *comm, const lw_model *model, lw_partition partition, int delays) {
    static double h[N_NET];
    for (uint64_t i = 0; i < N_NET; i++)
        h[i] = ref_normal(SEED_TANH, REF_STATE, i, 0);
    lw_dist init = {.kind = LW_DIST_LIST, .list = h, .n_list = N_NET, .lo = -INFINITY, .hi = INFINITY};
    return system_net(
        comm, model, NULL, &init, (const uint8_t[]){1}, tanh_weight, partition, lw_sim_options_default(), delays);
}

/* ------------------------------------------------------------------ LIF network of the golden files */

static inline double lif_weight(int64_t i, int64_t j) {
    if (i == j || ref_uniform(SEED_LIF, REF_CONNECT, (uint64_t)i, (uint64_t)j) >= 0.2) return 0;
    return ref_quant(2.0 / sqrt(0.2 * N_NET) * ref_normal(SEED_LIF, REF_WEIGHT, (uint64_t)i, (uint64_t)j), 20);
}
/** hard or soft reset by the model; kappa 5. The state is v(0), s = 0 at the cut; inputs e_t for `steps` steps are fed.
 */
static inline system_ system_lif(
    const lw_comm *comm, const lw_model *model, bool detached, lw_partition partition, int64_t steps) {
    static double beta[N_NET], bias[N_NET], v[N_NET];
    enum { ALPHA, BETA, BIAS, THETA, V = 0 };
    lw_dist param[4], init[3] = {{0}};
    for (uint64_t i = 0; i < N_NET; i++) {
        beta[i] = ref_quant(exp(-1.0 / (10 + 20 * ref_uniform(SEED_LIF, REF_PARAM, i, 0))), 32);
        bias[i] = ref_quant(0.2 + 0.2 * ref_uniform(SEED_LIF, REF_PARAM, i, 1), 20);
        v[i] = ref_quant(ref_uniform(SEED_LIF, REF_STATE, i, 0), 20);
    }
    lw_dist list = {.kind = LW_DIST_LIST, .n_list = N_NET, .lo = -INFINITY, .hi = INFINITY};
    param[ALPHA] = lw_dist_number(ref_quant(exp(-1.0 / 5), 32));
    param[BETA] = param[BIAS] = init[V] = list;
    param[BETA].list = beta;
    param[BIAS].list = bias;
    init[V].list = v;
    param[THETA] = lw_dist_number(1);
    system_ s = system_net(
        comm, model, param, init, (const uint8_t[]){1, 0, 0}, lif_weight, partition, options_of(5, detached), 1);
    CHECK_OK(lw_alloc((size_t)((steps + 1) * N_NET), sizeof(float), "inputs", &s.feed));
    for (int64_t t = 0; t < steps; t++) /* e_t meets the spikes fired at cut t, in the update of engine step t + 1 */
        for (int64_t j = 0; j < N_NET; j++)
            s.feed[(t + 1) * N_NET + j] = ref_uniform(SEED_LIF, REF_INPUT, (uint64_t)t, (uint64_t)j) < 0.1 ? 3 : 0;
    if (s.sim) CHECK_OK(lw_sim_feed(s.sim, 0, 0, s.feed, steps + 1, N_NET));
    return s;
}

/** The reference's start block: row `state` of neuron gid is row state * N_NET + gid; rows of states >= `states` are 0.
 * Caller frees. */
static inline double *ref_basis(lw_sim *sim, uint64_t seed, int64_t k, int states) {
    lw_tangent *probe = NULL;
    double *basis = NULL;
    CHECK_OK(lw_tangent_create(sim, 1, true, &probe));
    int64_t rows = lw_tangent_rows(probe);
    CHECK_OK(lw_alloc((size_t)(rows * k), sizeof *basis, "basis", &basis));
    for (int64_t r = 0; r < rows; r++) {
        int64_t gid = 0;
        int32_t state = 0;
        lw_tangent_row_info(probe, r, &gid, &state);
        for (int64_t c = 0; c < k && state < states; c++)
            basis[r * k + c] = ref_normal(seed, REF_BASIS, (uint64_t)(state * N_NET + gid), (uint64_t)c);
    }
    lw_tangent_destroy(&probe);
    return basis;
}

/** Numbers of a golden file behind its comment line; `head` (may be NULL) takes the second line. Returns how many were
 * read. */
static inline int64_t golden_read(const char *name, char *head, double *x, int64_t most) {
    char path[1024], line[256];
    const char *source = getenv("LAPWING_SOURCE");
    snprintf(path, sizeof path, "%s/tests/lyap/golden/%s.txt", source ? source : ".", name);
    FILE *f = fopen(path, "r");
    int64_t n = 0;
    CHECK(f != NULL);
    if (!f) return 0;
    CHECK(fgets(line, sizeof line, f) != NULL);
    if (head) CHECK(fgets(head, 256, f) != NULL);
    while (n < most && fscanf(f, "%lf", &x[n]) == 1)
        n++;
    fclose(f);
    return n;
}

/** All ranks' spikes hashed in the order of time, then neuron, as the reference does. */
static inline uint64_t spike_hash(system_ *s, int64_t *count) {
    const lw_spike *spike = NULL;
    uint8_t *grid = NULL;
    int64_t n = 0, steps = 4096;
    uint64_t hash = 0;
    CHECK_OK(lw_alloc((size_t)(steps * N_NET), 1, "spikes", &grid));
    lw_sim_spikes_take(s->sim, &spike, &n);
    for (int64_t i = 0; i < n; i++)
        grid[spike[i].step * N_NET + spike[i].gid] = 1;
    MPI_Allreduce(
        MPI_IN_PLACE, grid, (int)(steps * N_NET), MPI_BYTE, MPI_BOR, *(MPI_Comm *)lw_comm_handle(lw_net_comm(s->net)));
    *count = 0;
    for (int64_t t = 0; t < steps; t++)
        for (int64_t a = 0; a < N_NET; a++)
            if (grid[t * N_NET + a]) {
                hash = ref_mix(hash ^ ((uint64_t)t * REF_G + (uint64_t)a));
                ++*count;
            }
    lw_free(grid);
    return hash;
}

#endif
