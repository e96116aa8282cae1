/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Models compiled at run time: the same bits as the built-in ones of the same text, one compilation for many loads, and
 * errors with the compiler's words.
 */
#include "bench.h"
#include <dirent.h>
#include <unistd.h>

static bench one, two;
static char folder[] = "jit-XXXXXX";

static const lw_model *load(const char *text) {
    lw_model_source *source = NULL;
    const lw_model *model = NULL;
    CHECK_OK(lw_model_parse("t", text, &source));
    CHECK_OK(lw_model_load(source, folder, &model));
    lw_model_source_destroy(&source);
    return model;
}

static int files_in_folder(bool remove_them) {
    int n = 0;
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        bool lock = strcmp(entry->d_name, ".lock") == 0;
        if (entry->d_name[0] == '.' && !lock) continue;
        n += !lock;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (remove_them) unlink(path);
    }
    if (dir) closedir(dir);
    return n;
}

static void same_bits(const lw_model *a, const lw_model *b) {
    CHECK(a != b);
    CHECK_STR(a->key, b->key);
    CHECK(a->set[1][0].update_adj_tan && a->set[1][1].fire_adj_tan && !a->set[0][0].update_adj_tan);
    CHECK(memcmp(&a->need_second, &b->need_second, sizeof a->need_second) == 0);
    CHECK(memcmp(&a->need_tan, &b->need_tan, sizeof a->need_tan) == 0);
    for (int form = 0; form < 4; form++) {
        bench_start(&one, a, form & 1, form >> 1, BENCH_WIDTH, BENCH_WIDTH, 3);
        bench_start(&two, b, form & 1, form >> 1, BENCH_WIDTH, BENCH_WIDTH, 3);
        for (int t = 0; t < 20; t++) {
            lw_kernel_args x = bench_args(&one), y = bench_args(&two);
            bench_kernels(&one)->step(&x);
            bench_kernels(&two)->step(&y);
            CHECK(memcmp(one.state.room, two.state.room, sizeof one.state.room) == 0);
            CHECK(memcmp(one.out.room, two.out.room, sizeof one.out.room) == 0);
        }
    }
}

TEST(same_bits_as_built_in) {
    CHECK(mkdtemp(folder) != NULL);
    const lw_model *cuba = lw_model_builtin("cuba_lif");
    const lw_model *loaded = load(cuba->text);
    if (loaded) same_bits(loaded, cuba);
    CHECK_INT(files_in_folder(false), 1);
    CHECK(load(cuba->text) == loaded); /* from the folder */
    CHECK_INT(files_in_folder(false), 1);
}

TEST(other_text_other_object) {
    const lw_model *first = load("model a\n  state v = 0\n  update v = v + 1\n  output v");
    const lw_model *second = load("model a\n  state v = 0\n  update v = v + 2\n  output v");
    CHECK(first && second && first != second);
    CHECK_INT(files_in_folder(false), 3);
}

TEST(failures_have_words) {
    lw_model_source *source = NULL;
    const lw_model *model = NULL;
    CHECK_OK(lw_model_parse("t", "model a\n  state v = 0\n  update v = v + 3\n  output v", &source));
    setenv("LAPWING_CC", "/nonexistent/cc", 1);
    CHECK_FAILS(lw_model_load(source, folder, &model), LW_ECOMPILE, "/nonexistent/cc");
    CHECK(model == NULL);
    setenv("LAPWING_CC", "false", 1);
    CHECK_FAILS(lw_model_load(source, folder, &model), LW_ECOMPILE, "failed on model a");
    unsetenv("LAPWING_CC");
    CHECK_FAILS(lw_model_load(source, "/proc/none", &model), LW_EIO, "/proc/none");
    lw_model_source_destroy(&source);
    CHECK_INT(files_in_folder(true), 3); /* failures leave nothing behind */
    CHECK_INT(rmdir(folder), 0);
}

CHECK_MAIN(CASE(same_bits_as_built_in), CASE(other_text_other_object), CASE(failures_have_words))
