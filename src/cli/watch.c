/* SPDX-License-Identifier: BSD-3-Clause
 *
 * watch.c: what happens at the safe points of every long loop: has a signal asked to stop (agreed by all ranks), is a
 * checkpoint due, how far are we. The stall alarm ends a rank whose counter stands still: MPI never finds a peer that
 * hangs.
 */
#include "job.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* written by signal handlers */
static volatile sig_atomic_t stop_asked, moves, moves_seen, paused;

struct watch {
    const lw_comm *world;
    bool root, quiet, terminal;
    double begun, shown, saved, every;
    lw_err (*save)(void *payload);
    void *payload;
    char what[32]; /* the loop that is being timed, from its `first` safe point on */
    int64_t first;
};
static const int stop_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};

static void on_stop(int signal_number) {
    (void)signal_number;
    stop_asked = 1;
}

static void on_alarm(int signal_number) {
    (void)signal_number;
    static const char text[] = "lapwing: no progress on a rank for the time given by --stall; ending\n";
    if (!paused && moves == moves_seen) {
        ssize_t written = write(2, text, sizeof text - 1);
        (void)written;
        _exit(4);
    }
    moves_seen = moves;
}

lw_err watch_create(const lw_comm *world, const cmd_options *options, watch **out) {
    watch *w = NULL;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *w, "watch", &w));
    w->world = world;
    w->root = lw_comm_rank(world) == 0;
    w->quiet = options->quiet;
    w->terminal = isatty(2);
    w->begun = w->saved = w->shown = lw_time_now();
    struct sigaction stop = {.sa_handler = on_stop}, alarm_action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    for (int i = 0; i < 4; i++)
        sigaction(stop_signals[i], &stop, NULL);
    sigaction(SIGALRM, &alarm_action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the file size limit returns an error instead */
    paused = 1;
    if (options->stall) {
        struct itimerval every = {{options->stall, 0}, {options->stall, 0}};
        setitimer(ITIMER_REAL, &every, NULL);
    }
    *out = w;
    return LW_OK;
}

void watch_destroy(watch **w) {
    if (!*w) return;
    struct itimerval off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &off, NULL);
    lw_free(*w); /* the handlers stay: a stop that comes when the work is done must not spoil its status */
    *w = NULL;
}

void watch_save_every(watch *w, double every, lw_err (*save)(void *payload), void *payload) {
    w->every = every;
    w->save = save;
    w->payload = payload;
    w->saved = lw_time_now();
}

void watch_pause(watch *w) {
    (void)w;
    paused = 1;
}

void watch_resume(watch *w) {
    (void)w;
    moves++;
    paused = 0;
}

static void show(watch *w, const char *what, int64_t done, int64_t total) {
    double now = lw_time_now();
    if (strcmp(what, w->what) != 0 || done < w->first) { /* another loop: its clock starts here */
        snprintf(w->what, sizeof w->what, "%s", what);
        w->first = done;
        w->begun = now;
    }
    if (!w->root || w->quiet || now - w->shown < (w->terminal ? 0.5 : 20) || done <= w->first) return;
    double rate = (double)(done - w->first) / (now - w->begun);
    w->shown = now;
    fprintf(stderr, "%s%s: %lld of %lld, %.3g per s, %.0f s left%s", w->terminal ? "\r\033[K" : "", what,
        (long long)done, (long long)total, rate, (double)(total - done) / rate, w->terminal ? "\r" : "\n");
    fflush(stderr);
}

static lw_err tick(void *payload, const char *what, int64_t done, int64_t total) {
    watch *w = payload;
    moves++;
    double now = lw_time_now();
    int64_t flags[2] = {stop_asked, w->root && w->save && w->every > 0 && now - w->saved >= w->every};
    lw_comm_max_i64(w->world, flags, 2);
    show(w, what, done, total);
    if (flags[1] && !flags[0]) {
        watch_pause(w);
        lw_err err = w->save(w->payload);
        w->saved = lw_time_now();
        watch_resume(w);
        LW_TRY(err);
    }
    return flags[0]
               ? LW_FAIL(LW_ESTOP, "%s stopped by a signal at %lld of %lld", what, (long long)done, (long long)total)
               : LW_OK;
}

lw_watch watch_door(watch *w) {
    return (lw_watch){.payload = w, .tick = tick};
}
