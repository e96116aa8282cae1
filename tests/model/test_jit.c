/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Models compiled at run time: the same bits as the built-in ones of the same text, one compilation for many loads, and
 * errors with the compiler's words.
 */
#include "bench.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
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

/* update, fire and their adjoints: every array they leave has the same bits */
static void same_derivatives(const lw_model *a, const lw_model *b) {
    const lw_model *model[2] = {a, b};
    static bench *const at[2] = {&one, &two};
    static bench_arrays input_adj[2], coef_adj[2];
    static double slope[BENCH_ELEMENTS], seed[BENCH_ELEMENTS];
    for (int i = 0; i < BENCH_ELEMENTS; i++) {
        slope[i] = 0.3 + 0.01 * i;
        seed[i] = 1 - 0.07 * i;
    }
    for (int k = 0; k < 2; k++) {
        bench *x = at[k];
        bench_start(x, model[k], 1, 0, BENCH_WIDTH, BENCH_WIDTH, 4);
        bench_arrays_reset(&input_adj[k]);
        bench_arrays_reset(&coef_adj[k]);
        x->old = x->state;
        x->in = x->input;
        for (int s = 0; s < BENCH_ARRAYS; s++) {
            x->old.at[s] = x->old.room[s];
            x->in.at[s] = x->in.room[s];
        }
        lw_kernel_args args = bench_args(x);
        bench_kernels(x)->update(&args);
        memcpy(x->pre.room, x->state.room, sizeof x->pre.room);
        memcpy(x->point_held, x->held, sizeof x->held);
        for (int i = 0; i < BENCH_ELEMENTS; i++)
            x->spike.room[0][i] = x->point_spike.room[0][i] = x->margin.room[0][i] >= 0 && !x->held[i];
        memcpy(x->slope.room[0], slope, sizeof slope);
        bench_kernels(x)->fire(&args);
        args.state_adj = x->state.at; /* any numbers */
        args.input_adj = input_adj[k].at;
        args.out_adj = seed;
        args.coef_adj = (double *const *)coef_adj[k].at;
        bench_kernels(x)->fire_adj(&args);
        bench_kernels(x)->update_adj(&args);
    }
    CHECK(memcmp(one.state.room, two.state.room, sizeof one.state.room) == 0);
    CHECK(memcmp(input_adj[0].room, input_adj[1].room, sizeof input_adj[0].room) == 0);
    CHECK(memcmp(coef_adj[0].room, coef_adj[1].room, sizeof coef_adj[0].room) == 0);
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

TEST(models_of_learning_have_the_same_bits) {
    const char *const names[] = {"iaf", "srm", "adlif", "cuba_lif_hard", "sigma_delta", "sigma_delta_spike"};
    for (int m = 0; m < 6; m++) {
        const lw_model *built_in = lw_model_builtin(names[m]), *loaded = load(built_in->text);
        if (!loaded) continue;
        same_bits(loaded, built_in);
        same_derivatives(loaded, built_in);
    }
    CHECK_INT(files_in_folder(true), 7);
    (void)load(lw_model_builtin("cuba_lif")->text);
}

/* a process that holds the lock and does nothing: the others wait for a while, then compile by themselves */
TEST(a_held_lock_is_not_waited_for_for_ever) {
    char path[512];
    int ready[2];
    CHECK_INT(pipe(ready), 0);
    snprintf(path, sizeof path, "%s/.lock", folder);
    pid_t child = fork();
    if (child == 0) {
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int file = open(path, O_RDWR | O_CREAT, 0666);
        bool held = fcntl(file, F_SETLK, &whole) == 0;
        if (write(ready[1], held ? "y" : "n", 1) == 1) pause();
        _exit(0);
    }
    char answer = 0;
    CHECK_INT(read(ready[0], &answer, 1), 1);
    CHECK_INT(answer, 'y');
    setenv("LAPWING_LOCK_SECONDS", "0.3", 1);
    double begin = lw_time_now();
    CHECK(load("model held\n  state v = 0\n  update v = v + 7\n  output v") != NULL);
    CHECK(lw_time_now() - begin >= 0.3);
    unsetenv("LAPWING_LOCK_SECONDS");
    kill(child, SIGKILL);
    CHECK_INT(waitpid(child, NULL, 0), child);
    CHECK_INT(files_in_folder(true), 2); /* and that of the test before */
    (void)load(lw_model_builtin("cuba_lif")->text);
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

CHECK_MAIN(CASE(same_bits_as_built_in), CASE(models_of_learning_have_the_same_bits),
    CASE(a_held_lock_is_not_waited_for_for_ever), CASE(other_text_other_object), CASE(failures_have_words))
