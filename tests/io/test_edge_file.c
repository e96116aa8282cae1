/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Files of synapses: text and SONATA give the network the same synapses on any number of ranks, multapses included;
 * numbers that a file lacks come from the experiment; faults name file and place.
 */
#include "../net/fixture.h"
#include "h5.h"
#include "scratch.h"
#include "slab.h"
#include <lapwing/io.h>

enum { N_PRE = 70, N_POST = 50, N_EDGES = 3000 };

static lw_edge edge(int64_t i) {
    lw_stream s = lw_stream_start(4, LW_PURPOSE_CHECK, (uint64_t)i, 0);
    lw_edge e = {.source = (int64_t)lw_stream_below(&s, N_PRE), .target = (int64_t)lw_stream_below(&s, N_POST)};
    e.weight = (double)lw_stream_below(&s, 1000) / 8;
    e.delay = 1 + (int32_t)lw_stream_below(&s, 20); /* of 0.5 ms */
    return e;
}

/* Lines of very different lengths, comments, blank lines, columns in another order. */
static void text_write(const char *path) {
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (!f) return;
    fprintf(f, "target, source, delay, weight\n");
    for (int64_t i = 0; i < N_EDGES; i++) {
        lw_edge e = edge(i);
        if (i % 97 == 0)
            fprintf(f, "# a comment that is longer than the lines around it, so that shares end in it\n\n");
        fprintf(f, i % 5 ? "%lld,%lld,%g,%g\n" : "   %lld , %lld,    %.12f, %.15f  \r\n", (long long)e.target,
            (long long)e.source, e.delay * 0.5, e.weight);
    }
    CHECK(fclose(f) == 0);
}

static void sonata_write(const char *path) {
    static const char *const name[] = {"source_node_id", "target_node_id", "0/syn_weight", "0/delay"};
    lw_slab slab = lw_slab_range(N_EDGES, lw_comm_rank(world()), lw_comm_size(world()));
    int64_t *index = calloc(N_EDGES, sizeof *index);
    double *number = calloc(N_EDGES, sizeof *number);
    lw_h5_writer *w = NULL;
    CHECK_OK(lw_h5_writer_create(world(), path, &w));
    CHECK_OK(lw_h5_writer_group(w, "/edges"));
    CHECK_OK(lw_h5_writer_group(w, "/edges/a_b"));
    CHECK_OK(lw_h5_writer_group(w, "/edges/a_b/0"));
    for (int c = 0; c < 4; c++) {
        char full[64];
        snprintf(full, sizeof full, "/edges/a_b/%s", name[c]);
        for (int64_t i = slab.lo; i < slab.hi; i++) {
            lw_edge e = edge(i);
            index[i - slab.lo] = c == 0 ? e.source : e.target;
            number[i - slab.lo] = c == 2 ? e.weight : e.delay * 0.5;
        }
        lw_h5_array array = {
            .path = full, .type = c < 2 ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, .n = N_EDGES, .unit = "1", .about = ""};
        CHECK_OK(lw_h5_writer_array(w, &array, c < 2 ? (void *)index : (void *)number));
    }
    CHECK_OK(lw_h5_writer_close(&w));
    free(index);
    free(number);
}

static lw_err build(const char *file, const char *more, lw_net **net) {
    char text[2000];
    lw_experiment *x = NULL;
    snprintf(text, sizeof text,
        "name: t\ntime: {dt: 0.5 ms, duration: 1 s}\npopulations:\n  A: {model: lif, size: %d}\n  B: {model: lif, "
        "size: %d}\n"
        "projections:\n  - {from: A, to: B, rule: edges, file: \"%s\"%s}\nprecision: double\nstages: [simulate]\n",
        N_PRE, N_POST, file, more);
    *net = NULL;
    lw_err err = lw_experiment_parse("t.yaml", text, NULL, 0, &x);
    if (err == LW_OK) err = lw_net_create(world(), &x->net, net);
    lw_experiment_destroy(&x);
    return err;
}

static int by_value(const void *a, const void *b) {
    const lw_edge *x = a, *y = b;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    if (x->delay != y->delay) return x->delay < y->delay ? -1 : 1;
    return (x->weight > y->weight) - (x->weight < y->weight);
}

static void check_edges(const lw_net *net) {
    lw_edge wanted[N_EDGES];
    int64_t n = 0;
    lw_edge *e = all_edges(net, 0, &n);
    for (int64_t i = 0; i < N_EDGES; i++)
        wanted[i] = edge(i);
    qsort(wanted, N_EDGES, sizeof *wanted, by_value);
    qsort(e, (size_t)n, sizeof *e, by_value);
    CHECK_INT(n, N_EDGES);
    for (int64_t i = 0; i < n && n == N_EDGES; i++)
        CHECK(by_value(&e[i], &wanted[i]) == 0);
    lw_free(e);
}

TEST(text_and_sonata_give_the_same_network) {
    lw_net *net = NULL;
    uint64_t digest = 0;
    scratch_make();
    const char *text = scratch_path("edges.csv"), *h5 = scratch_path("edges.h5");
    if (check_rank() == 0) text_write(text);
    sonata_write(h5);
    MPI_Barrier(MPI_COMM_WORLD);
    for (int k = 0; k < 3; k++) {
        CHECK_OK(build(k ? h5 : text, k == 2 ? ", edge_population: a_b" : "", &net));
        if (!net) continue;
        check_edges(net);
        CHECK(k == 0 || net_digest(net) == digest);
        digest = net_digest(net);
        lw_net_destroy(&net);
    }
    scratch_remove();
}

TEST(missing_columns_come_from_the_experiment) {
    lw_net *net = NULL;
    scratch_make();
    const char *path = scratch_path("edges.txt");
    if (check_rank() == 0) scratch_write(path, "source target\n3 4\n5 6\n3 4", 25);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK_OK(build(path, ", weight: 7 pA, delay: 3 ms", &net));
    int64_t n = 0;
    lw_edge *e = net ? all_edges(net, 0, &n) : NULL;
    CHECK_INT(n, 3);
    for (int64_t i = 0; i < n; i++)
        CHECK(e[i].source + 1 == e[i].target && e[i].weight == 7 && e[i].delay == 6);
    lw_free(e);
    lw_net_destroy(&net);
    scratch_remove();
}

/* A layer from a file beside the experiment; NULL: refused, with this message. */
static void check_layer(const char *name, const void *content, size_t bytes, const char *message) {
    char text[1000];
    lw_experiment *x = NULL;
    const char *path = scratch_path(name);
    if (check_rank() == 0) scratch_write(path, content, bytes);
    MPI_Barrier(MPI_COMM_WORLD);
    snprintf(text, sizeof text,
        "name: t\ntime: {dt: 0.5 ms}\npopulations:\n  A: {model: lif, size: 3, positions: {file: \"%s\"}}\n", path);
    lw_err err = lw_experiment_parse("t.yaml", text, NULL, 0, &x);
    if (message) {
        CHECK_FAILS(err, LW_EUSE, message);
    } else {
        CHECK_OK(err);
        const lw_layout *layout = x ? &x->net.pop[0].layout : NULL;
        CHECK(layout && layout->kind == LW_LAYOUT_LIST && layout->n_dim == 2 && layout->n_list == 3);
        for (int k = 0; k < 6 && layout && layout->n_list == 3; k++)
            CHECK_CLOSE(layout->list[k], k * 0.5 - 1, 0);
    }
    lw_experiment_destroy(&x);
    MPI_Barrier(MPI_COMM_WORLD);
}

TEST(positions_come_from_files) {
    scratch_make();
    const char plain[] = "# x y\n-1 -0.5\n\n0,0.5\r\n 1.0 , 1.5 ";
    check_layer("places.txt", plain, sizeof plain - 1, NULL);
    char npy[128 + 6 * 8] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }";
    size_t used = 10;
    while (npy[used])
        used++;
    memset(npy + used, ' ', 127 - used);
    npy[127] = '\n';
    for (int k = 0; k < 6; k++) {
        double x = k * 0.5 - 1;
        memcpy(npy + 128 + 8 * k, &x, 8);
    }
    check_layer("places.npy", npy, sizeof npy, NULL);
    check_layer("few.txt", "1 2\n3 4\n", 8, "3 positions, one per neuron; it has 2");
    check_layer("many.txt", "1 2\n3 4\n5 6\n7 8\n", 16, "many.txt, line 4");
    check_layer("uneven.txt", "1 2\n3 4 5\n", 10, "uneven.txt, line 2");
    check_layer("word.txt", "1 2x\n", 5, "word.txt, line 1");
    check_layer("wide.txt", "1 2 3 4\n", 8, "wide.txt, line 1");
    scratch_remove();
}

static void refused(const char *content, const char *more, lw_err code, const char *what) {
    lw_net *net = NULL;
    const char *path = scratch_path("edges.csv");
    if (check_rank() == 0) scratch_write(path, content, strlen(content));
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK_FAILS(build(path, more, &net), code, what);
    MPI_Barrier(MPI_COMM_WORLD);
}

TEST(faults_name_file_and_place) {
    lw_net *net = NULL;
    scratch_make();
    refused("source,target\n1,2\n1,x\n", "", LW_EFILE, "edges.csv, byte 18: \"1,x\"; allowed: 2 numbers");
    refused("source,target\n1,2,3\n", "", LW_EFILE, "\"1,2,3\"");
    refused("source,target,wait\n", "", LW_EFILE, "edges.csv:1: column \"wait\"");
    refused("source,weight\n", "", LW_EFILE, "no columns");
    refused("", "", LW_EFILE, "is empty");
    refused("source,target,delay\n1,2,-1\n", "", LW_EFILE, "a delay of -1 ms");
    refused("source,target\n70,2\n", "", LW_EUSE, "source 70; allowed: 0 to 69");
    refused("source,target\n", ", weight: \"normal(1 pA, 1 pA)\"", LW_EUSE, "single number");
    CHECK_FAILS(build(scratch_path("none.csv"), "", &net), LW_EFILE, "none.csv");
    CHECK_FAILS(build(scratch_path("none.h5"), "", &net), LW_EFILE, "none.h5");
    const char *h5 = scratch_path("edges.h5");
    sonata_write(h5);
    CHECK_FAILS(build(h5, ", edge_population: c", &net), LW_EFILE, "no group /edges/c");
    scratch_remove();
}

CHECK_MAIN(CASE(text_and_sonata_give_the_same_network), CASE(missing_columns_come_from_the_experiment),
    CASE(positions_come_from_files), CASE(faults_name_file_and_place))
