/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A parsed model at run time: emit, compile with the system's C compiler into a shared object in a cache folder, load.
 * The object's file name carries a hash of everything it depends on; it is written under a temporary name and renamed,
 * so several processes may compile the same model at once; a lock in the folder lets the others wait for the first
 * instead. The compiler gets an argument list, no shell. Local.
 */
#include <lapwing/model.h>
#include "catalogue.h"
#include "text.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
    PATH_BYTES = 1024,
    LOCK_SECONDS = 300 /* the slowest built-in model takes 12 s to compile on a free core */
};

/* the flags of the library's own kernels: the same text gives the same bits */
static const char *const jit_flags[] = {LW_JIT_FLAGS};

static const char *compiler(void) {
    const char *cc = getenv("LAPWING_CC");
    return cc && cc[0] ? cc : LW_JIT_CC;
}

static lw_err make_folder(const char *path) {
    char part[PATH_BYTES];
    for (size_t i = 1; i <= strlen(path) && i < sizeof part; i++) {
        if (path[i] != '/' && path[i] != 0) continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        LW_CHECK(mkdir(part, 0777) == 0 || errno == EEXIST, LW_EIO, "folder %s could not be made: %s", part,
            strerror(errno));
    }
    return LW_OK;
}

static void default_folder(char out[PATH_BYTES]) {
    const char *own = getenv("LAPWING_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && own[0])
        snprintf(out, PATH_BYTES, "%s", own);
    else if (xdg && xdg[0])
        snprintf(out, PATH_BYTES, "%s/lapwing", xdg);
    else
        snprintf(out, PATH_BYTES, "%s/.cache/lapwing", home && home[0] ? home : ".");
}

static lw_err write_source(const char *path, const char *code) {
    FILE *file = fopen(path, "w");
    LW_CHECK(file, LW_EIO, "%s could not be created: %s", path, strerror(errno));
    bool good = fputs(code, file) >= 0;
    good = fclose(file) == 0 && good;
    LW_CHECK(good, LW_EIO, "%s could not be written", path);
    return LW_OK;
}

/* what the compiler said: its first line with "error", else its first line */
static void read_log(const char *path, char *out, size_t size) {
    FILE *file = fopen(path, "r");
    char line[600];
    bool first = true, found = false;
    snprintf(out, size, "it said nothing");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        found = strstr(line, "error") != NULL;
        if (line[0] && (first || found)) snprintf(out, size, "%s", line);
        first = first && !line[0];
    }
    if (file) fclose(file);
}

static lw_err run_compiler(const char *name, const char *source, const char *object, const char *log) {
    enum { FLAGS = sizeof jit_flags / sizeof jit_flags[0] };
    const char *argv[FLAGS + 6] = {compiler()};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int n = 1, status = 0;
    for (int i = 0; i < FLAGS; i++)
        argv[n++] = jit_flags[i];
    argv[n++] = "-o";
    argv[n++] = object;
    argv[n++] = source;
    argv[n++] = "-lm";
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int failed = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    LW_CHECK(!failed, LW_ECOMPILE, "C compiler %s could not be started: %s; LAPWING_CC names another one", argv[0],
        strerror(failed));
    while (waitpid(pid, &status, 0) < 0)
        LW_CHECK(errno == EINTR, LW_ECOMPILE, "C compiler %s was lost: %s", argv[0], strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return LW_OK;
    char words[600];
    read_log(log, words, sizeof words);
    return LW_FAIL(LW_ECOMPILE, "C compiler %s failed on model %s: %s", argv[0], name, words);
}

/* lw_model and lw_synapse_model begin alike */
typedef struct head {
    int32_t abi;
    const char *name;
} head;

static lw_err load(const char *path, const char *kind, const char *name, const void **out) {
    char symbol[160];
    snprintf(symbol, sizeof symbol, "lw_%s_%s", kind, name);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    LW_CHECK(object, LW_EFILE, "compiled model %s could not be loaded: %s", path, dlerror());
    const void *model = dlsym(object, symbol);
    head begin = {0};
    if (model) memcpy(&begin, model, sizeof begin);
    if (model && begin.abi == LW_KERNEL_ABI && strcmp(begin.name, name) == 0) {
        *out = model; /* stays loaded as long as the program */
        return LW_OK;
    }
    dlclose(object);
    return LW_FAIL(LW_EFILE, "%s does not hold model %s of ABI %d; delete it", path, name, LW_KERNEL_ABI);
}

/* emitted code with kernel.h in the place of its #include */
static lw_err self_contained(const lw_model_source *source, char **out) {
    static const char include[] = "#include <lapwing/kernel.h>\n";
    char *code = NULL;
    lw_text text = {0};
    LW_TRY(lw_model_emit(source, &code));
    const char *at = strstr(code, include);
    LW_ASSERT(at != NULL);
    lw_text_add(&text, "%.*s%s%s", (int)(at - code), code, lw_kernel_header, at + sizeof include - 1);
    lw_free(code);
    return lw_text_take(&text, out);
}

static lw_err compile(const char *name, const char *code, const char *path) {
    char source[PATH_BYTES], object[PATH_BYTES], log[PATH_BYTES], host[64] = "";
    gethostname(host, sizeof host - 1);
    snprintf(source, sizeof source, "%.900s.%s.%ld.c", path, host, (long)getpid());
    snprintf(object, sizeof object, "%.900s.%s.%ld.so", path, host, (long)getpid());
    snprintf(log, sizeof log, "%.900s.%s.%ld.log", path, host, (long)getpid());
    lw_err err = write_source(source, code);
    if (err == LW_OK) err = run_compiler(name, source, object, log);
    if (err == LW_OK && rename(object, path) != 0)
        err = LW_FAIL(LW_EIO, "%s could not be renamed to %s: %s", object, path, strerror(errno));
    unlink(source);
    unlink(log);
    if (err != LW_OK) unlink(object);
    return err;
}

/* Wait for the folder's lock, but not for ever: a compiler that hangs keeps the lock of the process that waits for it.
 * Compiling at the same time is allowed, only wasteful, so then we go on without it and say so. */
static void lock_take(int file, const char *cache, const char *name) {
    const char *text = getenv("LAPWING_LOCK_SECONDS");
    double wait = text && atof(text) > 0 ? atof(text) : LOCK_SECONDS, begin = lw_time_now();
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(file, F_SETLK, &whole) != 0 && (errno == EACCES || errno == EAGAIN || errno == EINTR)) {
        if (lw_time_now() - begin > wait) {
            struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
            bool known = fcntl(file, F_GETLK, &other) == 0 && other.l_type != F_UNLCK && other.l_pid > 0;
            lw_log(LW_LOG_WARN,
                "process %ld has held the lock %.900s/.lock for %g s and may hang; model %s is compiled without it",
                known ? (long)other.l_pid : 0L, cache, wait, name);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

/* Compile unless another process does so first. The lock belongs to the folder and ends with its file descriptor;
 * where a file system has no locks, each compiles for itself, which the renaming allows. */
static lw_err compile_once(const char *cache, const char *name, const char *code, const char *path) {
    char lock[PATH_BYTES];
    if (access(path, R_OK) == 0) return LW_OK;
    snprintf(lock, sizeof lock, "%.900s/.lock", cache);
    int file = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file >= 0) lock_take(file, cache, name);
    lw_err err = access(path, R_OK) == 0 ? LW_OK : compile(name, code, path);
    if (file >= 0) close(file);
    return err;
}

static lw_err source_load(const lw_model_source *source, const char *folder, const char *kind, const void **out) {
    char cache[PATH_BYTES], path[PATH_BYTES];
    const char *name = lw_model_source_name(source);
    char *code = NULL;
    *out = NULL;
    if (folder)
        snprintf(cache, sizeof cache, "%s", folder);
    else
        default_folder(cache);
    LW_TRY(self_contained(source, &code));
    uint64_t key = lw_text_hash(compiler(), lw_text_hash(code, LW_TEXT_HASH_START));
    for (size_t i = 0; i < sizeof jit_flags / sizeof jit_flags[0]; i++)
        key = lw_text_hash(jit_flags[i], key);
    snprintf(path, sizeof path, "%.800s/%.100s-%016llx.so", cache, name, (unsigned long long)key);
    lw_err err = make_folder(cache);
    if (err == LW_OK) err = compile_once(cache, name, code, path);
    lw_free(code);
    return err == LW_OK ? load(path, kind, name, out) : err;
}

lw_err lw_model_load(const lw_model_source *source, const char *folder, const lw_model **out) {
    const void *model = NULL;
    *out = NULL;
    LW_CHECK(!lw_model_source_is_synapse(source), LW_EMODEL, "%s is a synapse model; a neuron model is wanted",
        lw_model_source_name(source));
    LW_TRY(source_load(source, folder, "model", &model));
    *out = model;
    return LW_OK;
}

lw_err lw_synapse_load(const lw_model_source *source, const char *folder, const lw_synapse_model **out) {
    const void *model = NULL;
    *out = NULL;
    LW_CHECK(lw_model_source_is_synapse(source), LW_EMODEL, "%s is a neuron model; a synapse model is wanted",
        lw_model_source_name(source));
    LW_TRY(source_load(source, folder, "synapse", &model));
    *out = model;
    return LW_OK;
}
