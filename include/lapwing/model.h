/* SPDX-License-Identifier: BSD-3-Clause
 *
 * model: from a neuron model's text to kernels. Passes: text -> tokens -> syntax tree -> checked model -> expression
 * graph (hash-consed, so common subexpressions are one node) -> tangent and adjoint graphs -> C. The same emitter makes
 * the built-in models at build time (program lapwing-modelc). Knows no MPI. All functions are local.
 */
#ifndef LAPWING_MODEL_H
#define LAPWING_MODEL_H

#include <lapwing/base.h>
#include <lapwing/kernel.h>

/** A model compiled into the library, by name; NULL when there is none. */
const lw_model *lw_model_builtin(const char *name);
/** Number of built-in models, and the i-th in alphabetical order. */
int lw_model_builtin_count(void);
const lw_model *lw_model_builtin_at(int i);

/** Index of a parameter, state variable or input by name; -1 when there is none. */
int lw_model_param_find(const lw_model *model, const char *name);
int lw_model_state_find(const lw_model *model, const char *name);
int lw_model_input_find(const lw_model *model, const char *name);
/** EUSE, naming the parameter, the value found and the values allowed, when `value` (internal units) is outside the
 * domain. */
lw_err lw_model_param_check(const lw_model *model, int param, double value) LW_MUST_CHECK;
/** Nearest value inside the domain (open bounds: just inside). Keeps learnable parameters legal. */
double lw_model_param_clamp(const lw_model *model, int param, double value);

/** The same for synapse models. */
const lw_synapse_model *lw_synapse_builtin(const char *name);
int lw_synapse_builtin_count(void);
const lw_synapse_model *lw_synapse_builtin_at(int i);
int lw_synapse_param_find(const lw_synapse_model *model, const char *name);
lw_err lw_synapse_param_check(const lw_synapse_model *model, int param, double value) LW_MUST_CHECK;

/** A parsed and checked model text, of a neuron or of a synapse. */
typedef struct lw_model_source lw_model_source;
/** Parse and check. `name` is used in messages ("name:line:column: found ..., expected ..."). EMODEL on any fault. */
lw_err lw_model_parse(const char *name, const char *text, lw_model_source **out) LW_MUST_CHECK;
lw_err lw_model_parse_file(const char *path, lw_model_source **out) LW_MUST_CHECK;
void lw_model_source_destroy(lw_model_source **source);
const char *lw_model_source_name(const lw_model_source *source);
/** Canonical text: parse(print(parse(x))) = parse(x). Caller frees with lw_free. */
lw_err lw_model_print(const lw_model_source *source, char **out) LW_MUST_CHECK;
/** Equations after discretisation, derivatives, need masks, for people. Caller frees. */
lw_err lw_model_show(const lw_model_source *source, char **out) LW_MUST_CHECK;
/** One self-contained C file (besides lapwing/kernel.h) that defines `const lw_model lw_model_<name>`. Caller frees. */
lw_err lw_model_emit(const lw_model_source *source, char **out) LW_MUST_CHECK;

/** Compile with the system's C compiler (LAPWING_CC names another) and load. `folder` holds the compiled objects and is
 * used again: NULL means $LAPWING_CACHE, $XDG_CACHE_HOME/lapwing or ~/.cache/lapwing. Local; safe for several processes
 * at once, but let one rank call first so that only one compiles. The model stays loaded as long as the program.
 * ECOMPILE with the compiler's words. */
lw_err lw_model_load(const lw_model_source *source, const char *folder, const lw_model **out) LW_MUST_CHECK;

bool lw_model_source_is_synapse(const lw_model_source *source);
lw_err lw_synapse_load(const lw_model_source *source, const char *folder, const lw_synapse_model **out) LW_MUST_CHECK;

/* ------------------------------------------------------------------ quantities and units */

/** Parse "20 ms", "5.5e-1 mV", "1", "20 kHz" into internal units (ms, mV, pA, pF, nS, kHz and products such as "1/ms",
 * "mV/ms"; mm). dims receives the exponents of (time, voltage, current, length); a bare number has dims 0. EUSE with
 * the text on failure. */
enum { LW_UNIT_DIMS = 4 };
lw_err lw_quantity_parse(const char *text, double *value, int dims[LW_UNIT_DIMS]) LW_MUST_CHECK;
/** Dimensions and scale of a unit ("mV", "1", ""). */
lw_err lw_unit_parse(const char *unit, double *scale, int dims[LW_UNIT_DIMS]) LW_MUST_CHECK;

#endif
