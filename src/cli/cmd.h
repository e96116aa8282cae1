/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd.h: a command of the program: its line in the table, the options common to all commands, and the job they work on.
 */
#ifndef LAPWING_CLI_CMD_H
#define LAPWING_CLI_CMD_H

#include <jansson.h>
#include <lapwing/io.h>

/* ------------------------------------------------------------------ options (options.c) */

typedef struct cmd_options {
    const char *command;
    const char *file;   /* the command's operand */
    const char *action; /* first operand of `model`: check, show, emit */
    const char *out;
    const char **set;
    int n_set;
    int64_t seed;                             /* -1: not given */
    int replicas;                             /* 0: as the experiment says */
    int stall;                                /* seconds, 0: off */
    int64_t steps;                            /* gradcheck, plan --dry-run; 0: default */
    int64_t samples;                          /* gradient, sharpness; 0: default */
    int threads;                              /* plan; 0: as the experiment says */
    int dry_run;                              /* plan: rank; -1: not given */
    const char *ranks, *of, *rates, *machine; /* plan */
    bool calibrate, weak;                     /* plan */
    const char *method, *data, *labels;
    bool resume, quiet, json, help, version;
    char *line; /* the whole command line, for provenance */
} cmd_options;
/** Parse argv[2..]. **Local** (the same on all ranks). EUSE says which option, what was found and what is allowed. */
lw_err cmd_options_parse(int argc, char **argv, cmd_options *out) LW_MUST_CHECK;
void cmd_options_free(cmd_options *o);

/* ------------------------------------------------------------------ commands */

typedef struct cmd {
    const char *name, *operands, *about;
    lw_err (*run)(lw_comm *world, const cmd_options *options);
} cmd;
extern const cmd cmd_table[];
/** Everything after MPI has started: find the command, run it, print the error once. Returns the exit status.
 * **Collective**. */
int cmd_main(lw_comm *world, int argc, char **argv);

lw_err cmd_stages(
    lw_comm *world, const cmd_options *options) LW_MUST_CHECK; /* run, simulate, train, evaluate, lyapunov, prune */
lw_err cmd_gradcheck(lw_comm *world, const cmd_options *options) LW_MUST_CHECK;
lw_err cmd_gradient(lw_comm *world, const cmd_options *options) LW_MUST_CHECK;
lw_err cmd_sharpness(lw_comm *world, const cmd_options *options) LW_MUST_CHECK;
lw_err cmd_plan(lw_comm *world, const cmd_options *options) LW_MUST_CHECK;
lw_err cmd_inspect(lw_comm *world, const cmd_options *options) LW_MUST_CHECK;
lw_err cmd_model(lw_comm *world, const cmd_options *options) LW_MUST_CHECK;

#endif
