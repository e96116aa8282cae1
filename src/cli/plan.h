/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan.h: the parts of `lapwing plan`: where a calibration is kept, how rates are given, how results are shown.
 */
#ifndef LAPWING_CLI_PLAN_H
#define LAPWING_CLI_PLAN_H

#include <lapwing/plan.h>
#include "cmd.h"

/* ---- plan_machine.c; all on one rank */
/** Where the calibration of this machine is: `given`, or a file of the host's name in the user's cache folder. */
lw_err plan_machine_path(const char *given, char *path, size_t size) LW_MUST_CHECK;
lw_err plan_machine_save(const char *path, const lw_plan_machine *machine) LW_MUST_CHECK;
/** *found is false where there is no such file. */
lw_err plan_machine_load(const char *path, lw_plan_machine *out, bool *found) LW_MUST_CHECK;

/* ---- plan_rates.c */
/** Rates in Hz of all populations, [n_pop]: "5", "E=43,I=40", or a summary.json; NULL: 5. said: where they come from.
 */
lw_err plan_rates(const char *text, const lw_net_spec *spec, double *rate, char *said, size_t size) LW_MUST_CHECK;

/* ---- plan_report.c */
void plan_table_begin(FILE *out, const lw_plan_machine *machine);
void plan_table_row(FILE *out, const lw_plan *plan, double dt, bool times);
json_t *plan_json(const lw_plan *plan, double dt, bool times);
void trial_table_begin(FILE *out);
void trial_table_row(FILE *out, const lw_plan_trial *trial, double s_messages, double dt);
json_t *trial_json(const lw_plan_trial *trial, double s_messages, double dt);

#endif
