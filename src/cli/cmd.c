/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd.c: the command table, help, and the one place where an error is printed.
 */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

const cmd cmd_table[] = {
    {"run", "EXPERIMENT.yaml | CHECKPOINT.h5", "every stage the file lists, in order", cmd_stages},
    {"simulate", "EXPERIMENT.yaml | CHECKPOINT.h5", "run the network for time.duration", cmd_stages},
    {"train", "EXPERIMENT.yaml | CHECKPOINT.h5", "train on data.train; continues a stopped training", cmd_stages},
    {"evaluate", "CHECKPOINT.h5 | EXPERIMENT.yaml", "loss and accuracy on data.test", cmd_stages},
    {"lyapunov", "EXPERIMENT.yaml | CHECKPOINT.h5", "Lyapunov spectrum of the driven network", cmd_stages},
    {"prune", "EXPERIMENT.yaml | CHECKPOINT.h5",
        "remove neurons and synapses (--method lnp|noise|activity|magnitude|random)", cmd_stages},
    {"gradcheck", "EXPERIMENT.yaml", "adjoint against tangent and finite differences", cmd_gradcheck},
    {"gradient", "EXPERIMENT.yaml | CHECKPOINT.h5",
        "loss and gradient of one batch, with all that went in (gradient.h5)", cmd_gradient},
    {"sharpness", "EXPERIMENT.yaml | CHECKPOINT.h5", "largest eigenvalues of the curvature of the training loss",
        cmd_sharpness},
    {"plan", "EXPERIMENT.yaml", "memory, halo, traffic and time on many ranks, without building the network", cmd_plan},
    {"inspect", "FILE.h5", "what is in a file, and is it whole", cmd_inspect},
    {"model", "check|show|emit FILE.model",
        "check a model's text, show its derivatives and C code, emit the C code alone", cmd_model},
    {NULL, NULL, NULL, NULL},
};

static void help(void) {
    printf("Lapwing %s: simulate, train and prune large recurrent spiking neural networks.\n\n", LW_VERSION);
    for (const cmd *c = cmd_table; c->name; c++)
        printf("  lapwing %-9s %-33s %s\n", c->name, c->operands, c->about);
    printf("\nUnder MPI: mpirun -n P lapwing ...\n\n"
           "  --out DIR           output folder (default out/<experiment's name>)\n"
           "  --set PATH=VALUE    override a key of the experiment, for example --set train.epochs=3 (repeatable)\n"
           "  --seed N            override the experiment's seed\n"
           "  --resume            continue from the newest whole checkpoint in the output folder, if there is one\n"
           "  --replicas R        copies of the network for training and evaluation (R divides the number of ranks; 0: "
           "all)\n"
           "  --method NAME       prune: lnp, noise, activity, magnitude, random; gradient: bptt, eprop, forward\n"
           "  --data X --labels L evaluate: other .npy files than data.test names\n"
           "  --steps N           gradcheck: steps of each sequence; plan --dry-run: steps to run\n"
           "  --samples N         gradient, sharpness: the first so many of data.train (default train.batch)\n"
           "  --ranks P[,P...]    plan: numbers of ranks (default 1 to 4096)\n"
           "  --threads T         plan: threads of each rank (default: the experiment's)\n"
           "  --weak              plan: the network grows with the ranks, in-degrees stay\n"
           "  --rates R           plan: firing rates in Hz: 5, or E=43,I=40, or a summary.json (default 5)\n"
           "  --calibrate         plan: measure this machine (under mpirun its messages too) with the experiment's "
           "models\n"
           "  --machine FILE      plan: the calibration (default machine-<host>.json in the user's cache folder)\n"
           "  --dry-run R --of P  plan: build and run rank R of P here, the others firing at random\n"
           "  --stall SECONDS     end with status 4 when nothing moved for so long (default 0: off)\n"
           "  --json              print one JSON object with the results on standard output\n"
           "  --quiet             no progress, warnings only\n"
           "  --help, --version\n\n"
           "Exit status: 0 done, 1 the work failed, 2 the command or a file is wrong, 3 stopped by a signal after a "
           "checkpoint, 4 stalled.\n");
}

static lw_err dispatch(lw_comm *world, int argc, char **argv, cmd_options *options) {
    const char *name = argc > 1 ? argv[1] : "--help";
    bool root = lw_comm_rank(world) == 0;
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        if (root) help();
        return LW_OK;
    }
    if (!strcmp(name, "--version")) {
        if (root) printf("lapwing %s\n", LW_VERSION);
        return LW_OK;
    }
    for (const cmd *c = cmd_table; c->name; c++) {
        if (strcmp(c->name, name)) continue;
        LW_TRY(cmd_options_parse(argc, argv, options));
        if (options->help) {
            if (root) help();
            return LW_OK;
        }
        LW_CHECK(options->file, LW_EUSE, "lapwing %s: no file given, allowed: lapwing %s %s", name, name, c->operands);
        lw_log_setup(options->quiet ? LW_LOG_WARN : LW_LOG_INFO, lw_comm_rank(world));
        return c->run(world, options);
    }
    char all[300] = "";
    for (const cmd *c = cmd_table; c->name; c++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", used ? ", " : "", c->name);
    }
    return LW_FAIL(LW_EUSE, "lapwing: found the command \"%s\", allowed: %s", name, all);
}

int cmd_main(lw_comm *world, int argc, char **argv) {
    cmd_options options = {0};
    lw_log_setup(LW_LOG_INFO, lw_comm_rank(world));
    lw_err err = lw_comm_agree(world, dispatch(world, argc, argv, &options));
    if (err != LW_OK && lw_comm_rank(world) == 0) fprintf(stderr, "lapwing: %s\n", lw_err_message());
    fflush(NULL);
    cmd_options_free(&options);
    return lw_err_status(err);
}
