/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The language as text: positions and words of errors, canonical print, units, domains, names that would break C.
 */
#include <lapwing/model.h>
#include "bench.h"

static lw_err parse(const char *text) {
    lw_model_source *source;
    lw_err err = lw_model_parse("t", text, &source);
    if (err == LW_OK) lw_model_source_destroy(&source);
    return err;
}

static void fails(const char *text, const char *message) {
    lw_err err = parse(text);
    CHECK_INT(err, LW_EMODEL);
    CHECK_STR(lw_err_message(), message);
    lw_err_clear();
}

TEST(syntax_errors_have_positions) {
    fails("", "t:1:1: found end of file, expected 'model' or 'synapse', and a name");
    fails("modl a", "t:1:1: found 'modl', expected 'model' or 'synapse', and a name");
    fails("model 3", "t:1:7: found number 3, expected the name of the model");
    fails("model a\n  staet v = 0", "t:2:3: found 'staet', expected one of param, input, state, derived, let, method, "
                                    "ode, update, refractory, spike, "
                                    "output, reset");
    fails("model a\n  state v = 0\n  update v = (v + 1\n  output v",
        "t:4:3: found 'output', expected ')' or an operator");
    fails("model a\n  state v = 0\n  update v = v +* 1\n", "t:3:17: found '*', expected a number, a name, '-' or '('");
    fails("model a\n  state v = 0\n  update v = v v",
        "t:3:16: found 'v', expected an operator, ',' or the end of the line");
    fails("model a\n  state v = $",
        "t:2:13: found character '$', expected a name, a number or one of + - * / ^ ( ) [ ] , = ' < > #");
    fails("model a \"no end\n", "t:1:9: found a text without end, expected '\"' before the end of the line");
    fails("model a\n  state v = 0\n  ode v = 1", "t:3:9: found '=', expected ' (the time derivative, as in v' = ...)");
    fails("model a\n  state v = 0\n  update v = foo(v)", "t:3:14: found 'foo', expected one of the functions exp log "
                                                         "sqrt tanh sigmoid sin cos abs expm1 min max pow if");
    fails("model a\n  state v = 0\n  update v = max(v)", "t:3:19: found ')', expected ',' and another argument");
    fails("model a\n  method euler", "t:2:10: found 'euler', expected one of exact, exponential_euler, rk4");
    fails("model a\n  method rk4 steps 0", "t:2:20: found number 0, expected a whole number of steps from 1 to 16");
    fails("model a\n  method rk4 steps 2.5", "t:2:20: found number 2.5, expected a whole number of steps from 1 to 16");
    fails("model a\n  method exact steps 2", "t:2:16: found 'steps', expected an operator, ',' or the end of the line");
    fails("model a\n  param p = q", "t:2:13: found 'q', expected a constant default value such as 20 ms");
    fails("model a\n  state v = 0\n  output v\n  output v",
        "t:4:10: found 'v', expected only one 'spike' or 'output' line");
}

TEST(names_are_checked) {
    fails("model a\n  state v = 0\n  update v = w\n  output v",
        "t:3:14: found unknown name 'w', expected a name declared by param, state, input, derived, let or dt");
    fails("model a\n  state v = 0\n  update w = v\n  output v",
        "t:3:10: found 'w', expected the name of a state variable");
    fails("model a\n  state v = 0, v = 1\n  output v",
        "t:2:16: found 'v', expected a new name (the first one is in line 2)");
    fails("model a\n  param dt = 1\n  state v = 0\n  output v",
        "t:2:9: found 'dt', expected a name that is neither a function nor dt");
    fails("model a\n  input x\n  state v = x\n  output v",
        "t:3:13: found input 'x' (an input) here, expected a name declared by param, derived or dt");
    fails("model a\n  input x\n  state v = 0\n  spike v - x",
        "t:4:13: found input 'x' (an input) here, expected a name declared by param, state, derived, let or dt");
    fails("model a\n  input x\n  state v = 0\n  let y = x + v\n  output y",
        "t:5:10: found let 'y' (an input) here, expected a name declared by param, state, derived, let or dt");
    fails("model a\n  derived b = c, c = 1\n  state v = 0\n  output v",
        "t:2:15: found derived 'c' before its line, expected a name declared by param, derived or dt");
    fails("model a\n  state v = 0\n  update v = 1",
        "t:1:7: found a model without result, expected a 'spike' or an 'output' line");
    fails("model a\n  state v = 0\n  output v\n  reset v = 0",
        "t:4:9: found reset without 'spike', expected a 'spike' line");
    fails("model a\n  param t = 1\n  state v = 0\n  refractory t holds v\n  spike v",
        "t:4:14: found 't', expected a param or derived value in ms");
    fails("model a\n  param t = 1 ms\n  state v = 0\n  refractory t holds w\n  spike v",
        "t:4:22: found 'w', expected the name of a state variable");
    fails("model a\n  state v = 0\n  reset v = 0\n        v = 1\n  spike v",
        "t:4:9: found 'v', expected only one such line for each state variable");
    fails("model a\n  state v = 0\n  update v = 1, v = 2\n  output v",
        "t:3:17: found 'v', expected another state variable in one list of assignments");
    fails("model a\n  state v = 0\n  update v = v < 1\n  output v", "t:3:16: found a comparison, expected a number");
    fails("model a\n  state v = 0\n  update v = if(v, 1, 2)\n  output v",
        "t:3:17: found a number, expected a comparison as the first argument of if()");
}

TEST(dimensions_are_checked) {
    fails("model a\n  param c = 3 pA\n  state v = 0 in mV\n  update v = v + c\n  output v",
        "t:4:18: found pA, expected mV");
    fails("model a\n  state v = 0 in mV\n  update v = 1\n  output v", "t:3:14: found 1, expected mV");
    fails("model a\n  param tau = 3 ms\n  state v = 0 in mV\n  update v = v*exp(tau)\n  output v",
        "t:4:20: found ms, expected a number without unit");
    fails("model a\n  param tau = 3 ms\n  state v = 0 in mV\n  ode v' = -v\n  output v",
        "t:4:12: found mV, expected mV/ms");
    fails("model a\n  state v = 0 in mV\n  update v = if(v < 1 pA, v, 0)\n  output v", "t:3:21: found pA, expected mV");
    fails("model a\n  state v = 0 in mV\n  update v = v^0.5\n  output v",
        "t:3:16: found this exponent of a quantity with a unit, expected a constant integer of at most 9");
    fails("model a\n  state v = 0 in mV\n  update v = sqrt(v)\n  output v",
        "t:3:19: found mV, expected the square of a unit");
    fails("model a\n  param c = 3 mV, > 2 ms\n  state v = 0\n  output v",
        "t:2:23: found 'ms', expected a bound in the dimension of the parameter");
    fails("model a\n  param c = 3 ms, > 5\n  state v = 0\n  output v",
        "t:2:13: found default 3 ms, expected a value in its domain (5, inf)");
    fails("model a\n  input x in parsec\n  state v = 0\n  output v",
        "t:2:14: found 'parsec', expected a unit such as ms, mV, pA, pF, nS, kHz, mV/ms, 1/ms or 1");
    CHECK_OK(parse(
        "model a\n  param C = 3 pF, g = 2 nS, I = 1 nA, f = 2 Hz\n  state v = 0 in mV, w = 0\n"
        "  ode v' = (I - g*v)/C\n  update w = w + f*dt + sqrt(v^2)/(1 mV) + max(0, v)/v + (2 V)^2/v^2\n  output w"));
    CHECK_OK(parse("model a\n  param t = 1 ms\n  state v = 0 in mV\n  reset v = 0\n  refractory t holds v\n  spike v"));
}

TEST(integration_errors_have_positions) {
    fails("model a\n  param tau = 1 ms\n  state v = 0\n  ode v' = v^2/tau\n  output v",
        "t:4:7: found an equation that is not linear, expected a linear one, or a line 'method exponential_euler' or "
        "'method "
        "rk4'");
    fails("model a\n  param tau = 1 ms\n  state v = 0, w = 0\n  ode v' = w/tau\n      w' = -v/tau\n  output v",
        "t:4:7: found variables that depend on each other in a circle, expected a triangular system, or a line 'method "
        "exponential_euler' or 'method rk4'");
    CHECK_OK(parse("model a\n  param tau = 1 ms\n  method rk4\n  state v = 0, w = 0\n  ode v' = w/tau\n      w' = "
                   "-v^2/tau\n  output v"));
}

static void print_again(const char *text) {
    lw_model_source *source = NULL;
    char *once = NULL, *twice = NULL, *c_once = NULL, *c_twice = NULL;
    CHECK_OK(lw_model_parse("t", text, &source));
    CHECK_OK(lw_model_print(source, &once));
    CHECK_OK(lw_model_emit(source, &c_once));
    lw_model_source_destroy(&source);
    CHECK(source == NULL);
    CHECK_OK(lw_model_parse("printed", once, &source));
    CHECK_OK(lw_model_print(source, &twice));
    CHECK_STR(twice, once);
    /* the same program: everything before the tables, which hold the text itself */
    CHECK_OK(lw_model_emit(source, &c_twice));
    char *end = strstr(c_once, "extern const lw_model lw_model_");
    CHECK(end && strncmp(c_once, c_twice, (size_t)(end - c_once)) == 0);
    lw_model_source_destroy(&source);
    lw_free(once);
    lw_free(twice);
    lw_free(c_once);
    lw_free(c_twice);
}

TEST(print_is_stable) {
    for (int i = 0; i < bench_model_count(); i++)
        print_again(bench_model_at(i)->text);
    print_again("model a\n state v = 1 - (2 - 3) - -4*(5 + 6)/7/(8/9)^2^-2 + (-2)^2 - -(1 + 2) + if(1 < 2, 1, (2))\n "
                "output -(v*v)^2");
}

TEST(continuation) {
    char *text = NULL;
    lw_model_source *source = NULL;
    CHECK_OK(lw_model_parse("t",
        "model a\n"
        "  param p = 1,          # a comment\n"
        "        q = 2\n"
        "        r = 3\n"
        "\n"
        "  state v = (1 +\n"
        "2) * 3\n"
        "  update v = v +\n"
        "    p*q\n"
        "  output v + r\n",
        &source));
    CHECK_OK(lw_model_print(source, &text));
    CHECK_STR(text,
        "model a\n  param p = 1\n  param q = 2\n  param r = 3\n  state v = (1 + 2)*3\n  update v = v + p*q\n"
        "  output v + r\n");
    lw_free(text);
    lw_model_source_destroy(&source);
}

/* names of C and of the generator are no trouble: the text compiles, as far as brackets can tell, and nothing is
 * declared twice */
TEST(show_and_emit) {
    char *text = NULL;
    lw_model_source *source = NULL;
    CHECK_OK(lw_model_parse("t",
        "model words\n  param double = 2, row = 1, t1 = 3, floor = 1\n  input at\n  state args = 0, for = 1\n"
        "  update args = 0.5*args + double*at\n         for = floor*for + row*args^2*t1\n  spike for\n  reset for = 0",
        &source));
    CHECK_OK(lw_model_emit(source, &text));
    CHECK(strstr(text, "#include <lapwing/kernel.h>") != NULL);
    CHECK(strstr(text, "float double =") == NULL && strstr(text, "double_x") != NULL);
    CHECK(strstr(text, "args_x_arr = args->state[0]") != NULL);
    lw_free(text);
    CHECK_OK(lw_model_show(source, &text));
    CHECK(strstr(text, "update_tan: tangent of update") != NULL);
    CHECK(strstr(text, "update_adj_tan: tangent of the adjoint of update") != NULL);
    CHECK(strstr(text, "at_adj_tan := ") != NULL);
    lw_free(text);
    lw_model_source_destroy(&source);
    CHECK_FAILS(lw_model_parse_file("/nonexistent.model", &source), LW_EFILE, "/nonexistent.model");
}

TEST(quantities) {
    double x;
    int dims[LW_UNIT_DIMS];
    CHECK_OK(lw_quantity_parse("20 ms", &x, dims));
    CHECK_CLOSE(x, 20, 0);
    CHECK(dims[0] == 1 && dims[1] == 0 && dims[2] == 0);
    CHECK_OK(lw_quantity_parse("-5.5e-1mV", &x, dims));
    CHECK_CLOSE(x, -0.55, 1e-15);
    CHECK(dims[0] == 0 && dims[1] == 1 && dims[2] == 0);
    CHECK_OK(lw_quantity_parse("2 kHz", &x, dims));
    CHECK(x == 2 && dims[0] == -1);
    CHECK_OK(lw_quantity_parse("3 1/s", &x, dims));
    CHECK_CLOSE(x, 3e-3, 1e-18);
    CHECK(dims[0] == -1);
    CHECK_OK(lw_quantity_parse("2 nF*V/s", &x, dims)); /* a current */
    CHECK_CLOSE(x, 2e3, 1e-9);
    CHECK(dims[0] == 0 && dims[1] == 0 && dims[2] == 1);
    CHECK_OK(lw_quantity_parse("7", &x, dims));
    CHECK(x == 7 && !dims[0] && !dims[1] && !dims[2]);
    CHECK_FAILS(lw_quantity_parse("ms", &x, dims), LW_EUSE, "\"ms\"");
    CHECK_FAILS(lw_quantity_parse("3 parsec", &x, dims), LW_EUSE, "parsec");
    CHECK_FAILS(lw_quantity_parse("3 ms/", &x, dims), LW_EUSE, "ms/");
    CHECK_OK(lw_quantity_parse("300 um", &x, dims));
    CHECK_CLOSE(x, 0.3, 1e-16);
    CHECK(dims[3] == 1 && !dims[0] && !dims[1] && !dims[2]);
    CHECK_OK(lw_quantity_parse("2 us/um", &x, dims)); /* an inverse velocity */
    CHECK_CLOSE(x, 2, 1e-15);
    CHECK(dims[3] == -1 && dims[0] == 1);
    CHECK_OK(lw_unit_parse("mV^2/ms", &x, dims));
    CHECK(dims[0] == -1 && dims[1] == 2);
}

TEST(domains) {
    const lw_model *lif = lw_model_builtin("lif");
    const int tau = lw_model_param_find(lif, "tau_m");
    CHECK_OK(lw_model_param_check(lif, tau, 1e-9));
    CHECK_FAILS(
        lw_model_param_check(lif, tau, 0), LW_EUSE, "parameter tau_m of model lif is 0 ms, allowed is (0, inf) ms");
    CHECK_FAILS(lw_model_param_check(lif, tau, (double)NAN), LW_EUSE, "tau_m");
    for (int m = 0; m < bench_model_count(); m++)
        for (int p = 0; p < bench_model_at(m)->n_param; p++) {
            const lw_model *model = bench_model_at(m);
            const double tries[] = {-5, 0, 1e-12, 3, 1e6, (double)NAN, (double)INFINITY};
            for (size_t t = 0; t < sizeof tries / sizeof tries[0]; t++) /* legal also when rounded to float */
                CHECK_OK(lw_model_param_check(model, p, (float)lw_model_param_clamp(model, p, tries[t])));
            CHECK_CLOSE(lw_model_param_clamp(model, p, model->param[p].value), model->param[p].value, 0);
            CHECK_OK(lw_model_param_check(model, p, model->param[p].value));
        }
}

TEST(catalogue) {
    const char *names[] = {"adlif", "aeif_cond_alpha", "aeif_cond_exp", "alif", "cuba_lif", "cuba_lif_hard", "gif",
        "hh", "iaf", "if", "izhikevich", "izhikevich_2003", "li", "lif", "lif_adapt", "lif_alpha", "lif_cond_alpha",
        "lif_cond_exp", "lif_delta", "lif_exp", "lif_simple", "mat2", "max_pool", "parrot", "relay", "sigma_delta",
        "sigma_delta_spike", "srm"};
    enum { N = sizeof names / sizeof names[0] };
    CHECK_INT(lw_model_builtin_count(), N);
    for (int i = 0; i < lw_model_builtin_count(); i++) {
        const lw_model *m = lw_model_builtin_at(i);
        CHECK_STR(m->name, names[i]);
        CHECK(lw_model_builtin(names[i]) == m);
        CHECK_INT(m->abi, LW_KERNEL_ABI);
        CHECK(strlen(m->key) == 16 && m->about[0]);
    }
    CHECK(lw_model_builtin("nothing") == NULL && lw_model_builtin_at(-1) == NULL && lw_model_builtin_at(N) == NULL);
    const lw_model *lif = lw_model_builtin("lif");
    CHECK_INT(lw_model_input_find(lif, "in"), 1);
    CHECK_INT(lw_model_state_find(lif, "i_ex"), 1);
    CHECK_INT(lw_model_param_find(lif, "tau"), -1);
    CHECK_STR(lif->input[0].unit, "pA");
    CHECK_STR(lif->state[0].unit, "mV");
}

CHECK_MAIN(CASE(syntax_errors_have_positions), CASE(names_are_checked), CASE(dimensions_are_checked),
    CASE(integration_errors_have_positions), CASE(print_is_stable), CASE(continuation), CASE(show_and_emit),
    CASE(quantities), CASE(domains), CASE(catalogue))
