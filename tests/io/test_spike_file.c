/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Spike files: whatever the ranks, all spikes, each once, in order of (time, node); SONATA's attributes; empty
 * populations and appends; readable by h5py where that is installed.
 */
#include "checkpoint_net.h"
#include "h5.h"

enum { STEPS = 90, APPENDS = 3 };

/* Whether neuron gid spikes in a step: a pure function, about 2 % of them. */
static bool spikes(int64_t step, int64_t gid) {
    return lw_rng_uniform(9, LW_PURPOSE_CHECK, (uint64_t)step, (uint64_t)gid, 0) < 0.02;
}

static void append(lw_spike_file *f, const lw_net *net, int64_t begin, int64_t end) {
    lw_spike *list = calloc((size_t)(lw_net_n_local(net) * (end - begin)) + 1, sizeof *list);
    int64_t n = 0;
    for (int64_t t = begin; t < end; t++)
        for (int64_t k = 0; k < lw_net_n_local(net); k++)
            if (spikes(t, lw_net_gid(net, k))) list[n++] = (lw_spike){.step = t, .gid = lw_net_gid(net, k)};
    CHECK_OK(lw_spike_file_append(f, list, n));
    free(list);
}

static void population_check(const lw_h5_reader *r, const char *group, int64_t gid_begin, int64_t size, double dt) {
    char path[64];
    int64_t n = 0, row = 0, at = 0, expected = 0;
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t g = 0; g < size; g++)
            expected += spikes(t, gid_begin + g);
    (void)snprintf(path, sizeof path, "%s/timestamps", group);
    CHECK_OK(lw_h5_reader_shape(r, path, &n, &row));
    CHECK_INT(n, expected);
    double *time = calloc((size_t)n + 1, sizeof *time);
    int64_t *node = calloc((size_t)n + 1, sizeof *node);
    char *unit = NULL;
    CHECK_OK(lw_h5_reader_array(r, path, H5T_NATIVE_DOUBLE, 0, n, time));
    CHECK_OK(lw_h5_reader_string(r, path, "units", &unit));
    CHECK_STR(unit, "ms");
    lw_free(unit);
    (void)snprintf(path, sizeof path, "%s/node_ids", group);
    CHECK_OK(lw_h5_reader_array(r, path, H5T_NATIVE_INT64, 0, n, node));
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t g = 0; g < size; g++) {
            if (!spikes(t, gid_begin + g)) continue;
            if (at < n) {
                CHECK_CLOSE(time[at], (double)(t + 1) * dt, 0);
                CHECK_INT(node[at], g);
            }
            at++;
        }
    free(time);
    free(node);
    hid_t attribute = H5Aopen_by_name(lw_h5_reader_file(r), group, "sorting", H5P_DEFAULT, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute), base = H5Tget_super(type);
    uint8_t value = 0;
    char name[16] = "";
    CHECK(H5Tget_class(type) == H5T_ENUM && H5Tequal(base, H5T_STD_U8LE) > 0);
    CHECK(H5Aread(attribute, type, &value) >= 0 && H5Tenum_nameof(type, &value, name, sizeof name) >= 0);
    CHECK_STR(name, "by_time");
    H5Tclose(base);
    H5Tclose(type);
    H5Aclose(attribute);
}

TEST(all_spikes_in_order) {
    lw_comm *world = test_world();
    lw_net *net = NULL;
    lw_spike_file *f = NULL;
    lw_h5_reader *r = NULL;
    int64_t magic = 0;
    scratch_make();
    for (int round = 0; round < 2; round++) {
        CHECK_OK(test_net(world, round ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK, LW_F32, &net));
        CHECK_OK(lw_spike_file_create(world, scratch_path("spikes.h5"), net, &f));
        for (int a = 0; a < APPENDS; a++) {
            append(f, net, a * STEPS / APPENDS, (a + 1) * STEPS / APPENDS);
            CHECK_OK(lw_spike_file_append(f, NULL, 0)); /* nothing at all */
        }
        CHECK_OK(lw_spike_file_close(&f));
        CHECK(f == NULL);
        CHECK_OK(lw_h5_reader_open(scratch_path("spikes.h5"), &r));
        if (r) {
            double dt = lw_net_dt(net);
            population_check(r, "/spikes/E", 0, N_E, dt);
            population_check(r, "/spikes/I%2F2", N_E, N_I, dt);
            CHECK(!lw_h5_reader_has(r, "/spikes/R")); /* graded */
            CHECK_OK(lw_h5_reader_i64(r, "/", "magic", &magic));
            CHECK_INT(magic, 0x0A7A);
            CHECK(lw_h5_reader_has_attribute(r, "/", "version") && lw_h5_reader_has_attribute(r, "/", "complete"));
        }
        lw_h5_reader_close(&r);
        lw_net_destroy(&net);
        lw_comm_barrier(world);
    }
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(empty_files_and_bad_paths) {
    lw_comm *world = test_world();
    lw_net *net = NULL;
    lw_spike_file *f = NULL;
    lw_h5_reader *r = NULL;
    int64_t n = -1, row = 0;
    scratch_make();
    CHECK_OK(test_net(world, LW_PARTITION_BLOCK, LW_F32, &net));
    CHECK_FAILS(
        lw_spike_file_create(world, scratch_path("none/s.h5"), net, &f), LW_EIO, "none/s.h5: cannot be created");
    CHECK(f == NULL);
    CHECK_OK(lw_spike_file_create(world, scratch_path("s.h5"), net, &f));
    CHECK_OK(lw_spike_file_close(&f));
    CHECK_OK(lw_spike_file_close(&f));
    CHECK_OK(lw_h5_reader_open(scratch_path("s.h5"), &r));
    CHECK_OK(lw_h5_reader_shape(r, "/spikes/E/timestamps", &n, &row));
    CHECK_INT(n, 0);
    lw_h5_reader_close(&r);
    lw_net_destroy(&net);
    scratch_remove();
    lw_comm_stop(&world);
}

/* Not a test of its own where h5py is missing. */
TEST(h5py_reads_it) {
    static const char script[] =
        "import sys, h5py, numpy as np\n"
        "f = h5py.File(sys.argv[1], 'r')\n"
        "p = f['spikes/E']\n"
        "t, i = p['timestamps'][:], p['node_ids'][:]\n"
        "assert len(t) == len(i) > 1000 and i.dtype == np.uint64 and i.max() < 2600\n"
        "assert (np.lexsort((i, t)) == np.arange(len(t))).all()\n"
        "assert h5py.check_enum_dtype(p.attrs.get_id('sorting').dtype) == {'none': 0, 'by_id': 1, 'by_time': 2}\n"
        "assert p['timestamps'].attrs['units'] in (b'ms', 'ms') and f.attrs['magic'] == 0x0A7A\n"
        "assert list(f.attrs['version']) == [0, 1]\n";
    lw_comm *world = test_world();
    lw_net *net = NULL;
    lw_spike_file *f = NULL;
    char command[3 * PATH_MAX];
    scratch_make();
    CHECK_OK(test_net(world, LW_PARTITION_BLOCK, LW_F32, &net));
    CHECK_OK(lw_spike_file_create(world, scratch_path("spikes.h5"), net, &f));
    append(f, net, 0, STEPS);
    CHECK_OK(lw_spike_file_close(&f));
    if (check_rank() == 0) {
        const char *python = system("python3 -c 'import h5py' 2>/dev/null") == 0            ? "python3"
                             : system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") == 0 ? "/usr/bin/python3"
                                                                                            : NULL;
        scratch_write(scratch_path("read.py"), script, sizeof script - 1);
        (void)snprintf(command, sizeof command, "%s %s %s", python ? python : "true", scratch_path("read.py"),
            scratch_path("spikes.h5"));
        CHECK_INT(system(command), 0);
    }
    lw_net_destroy(&net);
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(all_spikes_in_order), CASE(empty_files_and_bad_paths), CASE(h5py_reads_it))
