/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Errors, log and clock.
 */
#include "check.h"
#include <pthread.h>
#include <unistd.h>

static lw_err deep(int n) {
    LW_CHECK(n < 3, LW_EUSE, "found %d, less than 3 is allowed", n);
    return LW_OK;
}
static lw_err middle(int n) {
    LW_TRY(deep(n));
    return LW_OK;
}
static lw_err outer(int n) {
    lw_err err = LW_OK;
    LW_TRY_TO(middle(n), done);
    return LW_OK;
done:
    lw_err_context("while reading %s", "a.yaml");
    return LW_FAIL(err, "a later message does not count");
}

TEST(first_message_wins_and_gets_context) {
    CHECK_INT(outer(2), LW_OK);
    CHECK_STR(lw_err_message(), "");
    CHECK_INT(outer(7), LW_EUSE);
    CHECK_STR(lw_err_message(), "while reading a.yaml: found 7, less than 3 is allowed");
    lw_err_clear();
    CHECK_STR(lw_err_message(), "");
    lw_err_context("alone");
    CHECK_STR(lw_err_message(), "alone");
    lw_err_clear();
}

TEST(long_messages_are_cut_visibly) {
    char *text = malloc(10000);
    memset(text, 'x', 9999);
    text[9999] = '\0';
    (void)LW_FAIL(LW_EIO, "%s", text);
    size_t length = strlen(lw_err_message());
    CHECK(length > 1000 && length < 9999);
    CHECK_STR(lw_err_message() + length - 3, "...");
    lw_err_context("before");
    CHECK(strncmp(lw_err_message(), "before: xxx", 11) == 0);
    CHECK_STR(lw_err_message() + strlen(lw_err_message()) - 3, "...");
    lw_err_clear();
    free(text);
}

TEST(table_gives_names_texts_and_status) {
    CHECK_STR(lw_err_name(LW_EMODEL), "EMODEL");
    CHECK_STR(lw_err_text(LW_OK), "success");
    CHECK_INT(lw_err_status(LW_OK), 0);
    CHECK_INT(lw_err_status(LW_EUSE), 2);
    CHECK_INT(lw_err_status(LW_EIO), 1);
    CHECK_INT(lw_err_status(LW_ESTOP), 3);
    CHECK_INT(lw_err_status(LW_ESTALL), 4);
    CHECK_STR(lw_err_name((lw_err)99), "EUNKNOWN");
}

static void *other_thread(void *message) {
    (void)LW_FAIL(LW_EIO, "of the other thread");
    *(bool *)message = strcmp(lw_err_message(), "of the other thread") == 0;
    return NULL;
}

TEST(each_thread_has_its_record) {
    pthread_t thread;
    bool seen = false;
    (void)LW_FAIL(LW_EUSE, "of the main thread");
    CHECK_INT(pthread_create(&thread, NULL, other_thread, &seen), 0);
    pthread_join(thread, NULL);
    CHECK(seen);
    CHECK_STR(lw_err_message(), "of the main thread");
    lw_err_clear();
}

/* Runs `body` with standard error in a file; its text. */
static const char *captured(void (*body)(void)) {
    static char text[4096];
    FILE *file = tmpfile();
    fflush(stderr);
    int old = dup(2);
    dup2(fileno(file), 2);
    body();
    fflush(stderr);
    dup2(old, 2);
    close(old);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static jmp_buf before_abort;
static int abort_status;
static void hook(int status) {
    abort_status = status;
    longjmp(before_abort, 1);
}
static void break_contract(void) {
    if (setjmp(before_abort) == 0) LW_ASSERT(1 + 1 == 3);
}

TEST(assert_prints_and_calls_the_hook) {
    lw_abort_hook_set(hook);
    const char *text = captured(break_contract);
    lw_abort_hook_set(NULL);
    CHECK_INT(abort_status, 1);
    CHECK(strstr(text, "test_err.c:") && strstr(text, "1 + 1 == 3") && strstr(text, "[rank 0]"));
}

static void log_all(void) {
    lw_log(LW_LOG_ERROR, "one %d", 1);
    lw_log(LW_LOG_WARN, "two");
    lw_log(LW_LOG_INFO, "three");
    lw_log(LW_LOG_DEBUG, "four");
}

TEST(log_knows_levels_and_ranks) {
    lw_log_setup(LW_LOG_DEBUG, 0);
    CHECK_STR(captured(log_all),
        "lapwing: error: one 1\nlapwing: warning: two\nlapwing: three\nlapwing: debug: [rank 0] four\n");
    lw_log_setup(LW_LOG_WARN, 0);
    CHECK_STR(captured(log_all), "lapwing: error: one 1\nlapwing: warning: two\n");
    lw_log_setup(LW_LOG_DEBUG, 3);
    CHECK_STR(captured(log_all), "lapwing: error: [rank 3] one 1\nlapwing: debug: [rank 3] four\n");
    lw_log_setup(LW_LOG_INFO, 3);
    lw_log_rank_set(0);
    CHECK_STR(captured(log_all), "lapwing: error: one 1\nlapwing: warning: two\nlapwing: three\n");
}

TEST(clock_goes_on) {
    double start = lw_time_now();
    usleep(20000);
    double passed = lw_time_now() - start;
    CHECK(passed >= 0.0199 && passed < 20);
}

CHECK_MAIN(CASE(first_message_wins_and_gets_context), CASE(long_messages_are_cut_visibly),
    CASE(table_gives_names_texts_and_status), CASE(each_thread_has_its_record), CASE(assert_prints_and_calls_the_hook),
    CASE(log_knows_levels_and_ranks), CASE(clock_goes_on))
