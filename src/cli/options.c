/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options.c: the command line after the command's name, through getopt_long.
 */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static lw_err whole_number(const char *option, const char *text, int64_t lo, int64_t hi, int64_t *out) {
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    LW_CHECK(*text && !*end && !errno && x >= lo && x <= hi, LW_EUSE,
        "--%s: found \"%s\", allowed: a whole number from %lld to %lld", option, text, (long long)lo, (long long)hi);
    *out = x;
    return LW_OK;
}

static lw_err keep_line(int argc, char **argv, cmd_options *o) {
    size_t n = 1;
    for (int i = 0; i < argc; i++)
        n += strlen(argv[i]) + 1;
    LW_TRY(lw_alloc(n, 1, "command line", &o->line));
    for (int i = 0; i < argc; i++) {
        strcat(o->line, i ? " " : "");
        strcat(o->line, argv[i]);
    }
    return LW_OK;
}

lw_err cmd_options_parse(int argc, char **argv, cmd_options *o) {
    enum {
        OUT = 256,
        SET,
        SEED,
        RESUME,
        REPLICAS,
        QUIET,
        JSON,
        STALL,
        METHOD,
        DATA,
        LABELS,
        STEPS,
        SAMPLES,
        RANKS,
        THREADS,
        RATES,
        MACHINE,
        CALIBRATE,
        DRY_RUN,
        OF,
        WEAK,
        HELP
    };
    static const struct option table[] = {{"out", 1, NULL, OUT}, {"set", 1, NULL, SET}, {"seed", 1, NULL, SEED},
        {"resume", 0, NULL, RESUME}, {"replicas", 1, NULL, REPLICAS}, {"quiet", 0, NULL, QUIET},
        {"json", 0, NULL, JSON}, {"stall", 1, NULL, STALL}, {"method", 1, NULL, METHOD}, {"data", 1, NULL, DATA},
        {"labels", 1, NULL, LABELS}, {"steps", 1, NULL, STEPS}, {"samples", 1, NULL, SAMPLES},
        {"ranks", 1, NULL, RANKS}, {"threads", 1, NULL, THREADS}, {"rates", 1, NULL, RATES},
        {"machine", 1, NULL, MACHINE}, {"calibrate", 0, NULL, CALIBRATE}, {"dry-run", 1, NULL, DRY_RUN},
        {"of", 1, NULL, OF}, {"weak", 0, NULL, WEAK}, {"help", 0, NULL, HELP}, {NULL, 0, NULL, 0}};
    int64_t x = 0;
    o->command = argv[1];
    o->seed = -1;
    o->replicas = -1;
    o->dry_run = -1;
    LW_TRY(keep_line(argc, argv, o));
    LW_TRY(lw_alloc((size_t)argc + 8, sizeof *o->set, "overrides", &o->set));
    opterr = 0;
    optind = 2;
    for (int c; (c = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        switch (c) {
        case OUT:
            o->out = optarg;
            break;
        case SET:
            o->set[o->n_set++] = optarg;
            break;
        case SEED:
            LW_TRY(whole_number("seed", optarg, 0, INT64_MAX, &o->seed));
            break;
        case RESUME:
            o->resume = true;
            break;
        case REPLICAS:
            LW_TRY(whole_number("replicas", optarg, 0, 1 << 20, &x));
            o->replicas = (int)x;
            break;
        case QUIET:
            o->quiet = true;
            break;
        case JSON:
            o->json = true;
            break;
        case STALL:
            LW_TRY(whole_number("stall", optarg, 0, 1000000, &x));
            o->stall = (int)x;
            break;
        case METHOD:
            o->method = optarg;
            break;
        case DATA:
            o->data = optarg;
            break;
        case LABELS:
            o->labels = optarg;
            break;
        case STEPS:
            LW_TRY(whole_number("steps", optarg, 1, 1 << 30, &o->steps));
            break;
        case SAMPLES:
            LW_TRY(whole_number("samples", optarg, 1, 1 << 24, &o->samples));
            break;
        case RANKS:
            o->ranks = optarg;
            break;
        case THREADS:
            LW_TRY(whole_number("threads", optarg, 1, 4096, &x));
            o->threads = (int)x;
            break;
        case RATES:
            o->rates = optarg;
            break;
        case MACHINE:
            o->machine = optarg;
            break;
        case CALIBRATE:
            o->calibrate = true;
            break;
        case DRY_RUN:
            LW_TRY(whole_number("dry-run", optarg, 0, (1 << 24) - 1, &x));
            o->dry_run = (int)x;
            break;
        case OF:
            o->of = optarg;
            break;
        case WEAK:
            o->weak = true;
            break;
        case HELP:
            o->help = true;
            break;
        case ':':
            return LW_FAIL(
                LW_EUSE, "%s: found no value after it, allowed: %s VALUE", argv[optind - 1], argv[optind - 1]);
        default:
            return LW_FAIL(LW_EUSE, "found the option \"%s\", allowed: see lapwing --help", argv[optind - 1]);
        }
    }
    if (!strcmp(o->command, "model") && optind < argc) o->action = argv[optind++];
    if (optind < argc) o->file = argv[optind++];
    LW_CHECK(optind >= argc, LW_EUSE, "lapwing %s: found \"%s\" after the file, allowed: one file", o->command,
        argv[optind]);
    return LW_OK;
}

void cmd_options_free(cmd_options *o) {
    lw_free(o->set);
    lw_free(o->line);
}
